"""Words that carry meaning, and how alike two sets of them are: what is taken up, what is similar, what is protected."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

WORD = re.compile(r"[a-zà-ÿ]+(?:'[a-z]+)?")
# Words that stand in almost any sentence: taking one of these up is not listening.
_COMMON = """
    a about after again ah ain't all am an and another any anything are aren't as ask at away back be because been before being
    bit both but by came can can't cannot come could couldn't day did didn't do does doesn't doing don't done down each else
    even ever every everything few for from get gets getting give go goes going gone good got had has hasn't have haven't having he
    he'd he'll he's her here hers him his how i i'd i'll i'm i've if in into is isn't it it'd it'll it's its just keep know last let let's
    like little long look made make many may maybe me might mine more most much must my myself never no nobody none not nothing
    now of off oh on once one only or other our ours out over own please put quite rather really right said same saw say says
    see seem she she'd she'll she's should so some someone something sometimes still such sure take tell than that that's the their
    them then there there's these they they'd they'll they're they've thing things think this those though thought to today told
    too took two under until up us used very want wanted wants was wasn't way we we'd we'll we're we've well went were what what's
    when where which while who why will wish with without won't would wouldn't yes yet you you'd you'll you're you've your yours
    yourself always around today tonight will feel feels felt
"""
COMMON = frozenset(_COMMON.split())


def words(text: str) -> list[str]:
    return WORD.findall(text.lower().replace("\u2019", "'"))


def stem(word: str) -> str:
    """A blunt stem, so that "knitted", "knitting" and "knits" are one word."""
    word = word.split("'")[0]
    for end in ("ingly", "edly", "ings", "ing", "ied", "ies", "ed", "es", "ly", "s", "e", "y"):
        if word.endswith(end) and len(word) - len(end) >= 3:
            word = word[: -len(end)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl" else word


def content(text: str) -> set[str]:
    """The stems of the words that carry meaning."""
    return {stem(w) for w in words(text) if w not in COMMON and len(w) > 1}


class Index:
    """TF-IDF over short texts: the nearest by shared, rare words. It stands in for meaning until an embedding is at hand."""

    def __init__(self, texts: Sequence[str]) -> None:
        found = [[stem(w) for w in words(t)] for t in texts]
        seen = Counter(s for stems in found for s in set(stems))
        self._idf = {s: math.log(1 + len(texts) / n) for s, n in seen.items()}
        self._rows: dict[str, list[tuple[int, float]]] = {}
        for row, stems in enumerate(found):
            for s, weight in self._vector(stems).items():
                self._rows.setdefault(s, []).append((row, weight))

    def _vector(self, stems: Iterable[str]) -> dict[str, float]:
        raw = {s: self._idf[s] * (0.3 if s in COMMON else 1.0) for s in stems if s in self._idf}
        length = math.sqrt(sum(w * w for w in raw.values())) or 1.0
        return {s: w / length for s, w in raw.items()}

    def nearest(self, text: str, count: int = 5) -> list[tuple[int, float]]:
        """The rows nearest to `text` with their likeness in 0..1, best first."""
        scores: dict[int, float] = {}
        for s, weight in self._vector(stem(w) for w in words(text)).items():
            for row, other in self._rows[s]:
                scores[row] = scores.get(row, 0.0) + weight * other
        return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:count]
