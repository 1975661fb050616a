"""Build the bedside language model: `python -m models.bedside_lm.build`, about a minute and a half.

What people say in bed (the sentences in `text/`, and the user's lines of the starter corpus where it is there) is mixed with
the general English model that comes in PocketSphinx' wheel, cut down to what matters. Two files come out: `bedside.lm.bin`
for the decoder, and `bedside.dict`, the pronunciations of its words only, which makes loading quicker and memory smaller.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pocketsphinx

from models.bedside_lm.ngrams import END, START, WittenBell, Words, mixed, write_arpa

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "starter" / "corpus" / "dialogues"
BEDSIDE_SHARE = 0.6
LOG_BASE = 1.0001
VOCABULARY = 20_000
COMMON = 4_000  # general bigrams are looked for among so many words
BIGRAM_GAIN = 2.0e-7  # P(history) P(word | history) |log(explicit / backed off)|: what a bigram must be worth to stay
TRIGRAM_GAIN = 4.0e-7


class General:
    """The wheel's own model, asked through its API (newest word first, in logarithms to the base 1.0001)."""

    def __init__(self) -> None:
        self._model = pocketsphinx.NGramModel(
            pocketsphinx.Config(lm=None), pocketsphinx.LogMath(LOG_BASE), pocketsphinx.get_model_path("en-us/en-us.lm.bin")
        )

    def probability(self, word: str, history: Words) -> float:
        return float(LOG_BASE ** self._model.prob([word, *reversed(history)]))

    def logs(self, words: list[str], history: Words) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """Natural logarithms of P(word | history) for many words."""
        before, ask = list(reversed(history)), self._model.prob
        return np.array([ask([word, *before]) for word in words]) * np.log(LOG_BASE)


def sentences() -> Iterator[list[str]]:
    """Lower-case words of every sentence that people say."""
    for path in sorted((HERE / "text").glob("*.txt")):
        yield from (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line)
    for path in sorted(CORPUS.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            said = re.match(r"U \([a-z]+\): (.*)", line)
            if said and "{" not in said[1]:  # a line with a slot has a hole where the interesting word stands
                yield re.sub(r"[^a-z' ]", " ", said[1].lower()).split()


def pronunciations() -> dict[str, list[str]]:
    """Word → lines of the wheel's dictionary, variants included; our own additions on top."""
    lines: dict[str, list[str]] = {}
    for path in (Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")), HERE / "extra.dict"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                lines.setdefault(line.split()[0].partition("(")[0], []).append(line)
    return lines


def general_grams(general: General, words: list[str]) -> tuple[set[Words], set[Words]]:
    """Bigrams and trigrams of the general model whose loss would be felt."""
    ends = [*words, END]
    alone = general.logs(ends, ())
    weights = dict(zip(ends, np.exp(alone), strict=True)) | {START: np.exp(alone[-1])}
    bigrams: dict[Words, float] = {}
    for before in [START, *words]:
        logs = general.logs(ends, (before,))
        # After any word, most others are backed off by one and the same factor: a low quartile finds it.
        gain = np.abs(logs - alone - np.quantile(logs - alone, 0.25))
        joint = weights[before] * np.exp(logs)
        bigrams |= {(before, ends[at]): float(joint[at]) for at in np.flatnonzero(joint * gain > BIGRAM_GAIN)}
    after: dict[str, list[str]] = {}
    for before, word in bigrams:
        after.setdefault(before, []).append(word)
    shorter = {before: general.logs(following, (before,)) for before, following in after.items()}
    trigrams: set[Words] = set()
    for (first, second), weight in bigrams.items():
        if weight > TRIGRAM_GAIN and second in after:
            logs = general.logs(after[second], (first, second))
            felt = weight * np.exp(logs) * np.abs(logs - shorter[second]) > TRIGRAM_GAIN
            trigrams |= {(first, second, after[second][at]) for at in np.flatnonzero(felt)}
    return set(bigrams), trigrams


def build(out: Path, share: float = BEDSIDE_SHARE) -> dict[str, int]:
    """Write both files into `out`; counts of what they hold."""
    wheel, known = General(), pronunciations()
    general = wheel.probability
    said = list(sentences())
    unknown = sorted({word for sentence in said for word in sentence} - set(known))
    if unknown:
        print(f"left out, because nobody told how they are pronounced (extra.dict): {' '.join(unknown)}")
    said = [sentence for sentence in said if all(word in known for word in sentence)]
    by_share = sorted((word for word in known if general(word, ()) > 1e-12), key=lambda word: -general(word, ()))
    bedside = WittenBell(said, general)
    own = {gram[0] for gram in bedside.grams(1)} - {END}
    vocabulary = own | set(by_share[:VOCABULARY])
    bigrams, trigrams = general_grams(wheel, by_share[:COMMON])
    grams = [
        {(word,) for word in (*vocabulary, START, END)},
        bigrams | bedside.grams(2) | {gram[1:] for gram in bedside.grams(3)},
        trigrams | bedside.grams(3),
    ]
    arpa = out / "bedside.arpa"
    write_arpa(arpa, grams, mixed(bedside.probability, general, share))
    _to_binary(arpa, out / "bedside.lm.bin")
    arpa.unlink()
    (out / "bedside.dict").write_text("\n".join(line for word in sorted(vocabulary) for line in known[word]) + "\n", encoding="utf-8")
    return {"sentences": len(said), "words": len(vocabulary), "bigrams": len(grams[1]), "trigrams": len(grams[2])}


def _to_binary(arpa: Path, binary: Path) -> None:
    model: Any = pocketsphinx.NGramModel(pocketsphinx.Config(lm=None), pocketsphinx.LogMath(1.0001), str(arpa))
    model.write(str(binary), pocketsphinx.NGramModel.str_to_type("bin"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build Beside's bedside language model.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for bedside.lm.bin and bedside.dict")
    parser.add_argument("--share", type=float, default=BEDSIDE_SHARE, help="share of the bedside text, 0 to 1")
    options = parser.parse_args()
    print(build(options.out, options.share))
