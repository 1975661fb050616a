"""Other content in the same frame: second sentences that fit any mirror, and nouns put in the place of others.

A mirror with a tail, and an answer whose nouns were swapped, cannot be known by heart: only by listening.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models.workshop.corpus import Dialogue, Exchange
from models.workshop.slots import SLOT, fit_articles
from models.workshop.words import COMMON, words

TAILS = Path(__file__).resolve().parent.parent / "starter/corpus/tails.tsv"
KINDS: Mapping[str, Sequence[str]] = {
    "hurt": ("sad", "lonely", "devastated", "disappointed", "nostalgic", "sentimental", "jealous", "ashamed", "guilty", "embarrassed"),
    "fear": ("afraid", "anxious", "apprehensive", "terrified"),
    "anger": ("angry", "annoyed", "furious", "disgusted"),
    "bright": (
        "joyful", "proud", "grateful", "hopeful", "excited", "content", "impressed", "confident", "trusting", "faithful", "caring",
        "anticipating", "prepared",
    ),
}  # fmt: skip
Tails = Mapping[str, Mapping[str, Sequence[str]]]


def load_tails(path: Path = TAILS) -> Tails:
    """Read tails.tsv: intent → kind of feeling → second sentences."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            intent, kind, sentence = line.split("\t")
            found.setdefault(intent, {}).setdefault(kind, []).append(sentence)
    return found


def tail(tails: Tails, intent: str, feeling: str, rng: random.Random) -> str:
    """A second sentence of this intent; one for this kind of feeling twice as often as one for any."""
    kind = next((kind for kind, feelings in KINDS.items() if feeling in feelings), "any")
    pools = [tails[intent].get(kind, []), tails[intent]["any"]]
    return rng.choice(pools[0] if pools[0] and rng.random() < 0.67 else pools[1])


_NOUN = re.compile(
    r"\b(?:my|your|the|a|an|his|her|our) ([a-z]{3,})"
    r"(?=[.,?]|$| (?:is|was|are|were|has|had|and|in|on|at|again|for|to|of|with|from|by|that|when|comes|came)\b)"
)


def nouns_of(texts: Iterable[str]) -> frozenset[str]:
    """The words that stand where only a noun stands."""
    return frozenset(n for t in texts for n in _NOUN.findall(t.lower()) if n not in COMMON)


def swap(dialogue: Dialogue, turn: int, nouns: Sequence[str], rng: random.Random) -> Dialogue:
    """Put other nouns in the place of those that the person and the answer share, through the whole dialogue.

    The answer must then carry what was really said, however odd it is. One and many stay apart ("s" for "s").
    """
    target = dialogue.exchanges[turn]
    shared = set(_NOUN.findall(target.user)) & set(words(SLOT.sub("", target.reply))) - COMMON
    new = {old: rng.choice(nouns) for old in sorted(shared) if rng.random() < 0.8}
    new = {old: n for old, n in new.items() if old.endswith("s") == n.endswith("s")}
    if not new:
        return dialogue
    pattern = re.compile(rf"(?<![{{\w])({'|'.join(new)})(?![}}\w])", re.IGNORECASE)

    def put(text: str) -> str:
        def one(match: re.Match[str]) -> str:
            word = new[match[0].lower()]
            return word.capitalize() if match[0][0].isupper() else word

        return fit_articles(pattern.sub(one, text))

    exchanges = tuple(replace(e, user=put(e.user), reply=put(e.reply)) for e in dialogue.exchanges)
    return replace(dialogue, exchanges=exchanges, memories=tuple(put(m) for m in dialogue.memories))


def twin(exchange: Exchange, nouns: Sequence[str], rng: random.Random) -> str | None:
    """The same answer about something else, to be given as an exemplar: its frame fits, its nouns do not.

    None where person and answer share no noun and no slot, so that the twin would be the answer itself.
    """
    slots = {s[0] for s in SLOT.finditer(exchange.user)} & {s[0] for s in SLOT.finditer(exchange.reply)} - {"{name}"}
    alone = Dialogue("", "", (), "", (exchange,), "")
    changed = swap(alone, 0, nouns, rng).exchanges[0].reply
    return changed if slots or changed != exchange.reply else None
