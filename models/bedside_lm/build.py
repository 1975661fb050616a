"""Build the bedside language model: `python -m models.bedside_lm.build`, about a minute.

What people say in bed (the sentences in `text/`, and the user's lines of the starter corpus where it is there) is mixed with
the general English model that comes in PocketSphinx' wheel, cut down to what matters. Two files come out: `bedside.lm.bin`
for the decoder, and `bedside.dict`, the pronunciations of its words only, which makes loading quicker and memory smaller.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pocketsphinx

from models.bedside_lm import wheel_model
from models.bedside_lm.ngrams import END, START, WittenBell, Words, mixed, write_arpa

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "starter" / "corpus" / "dialogues"
BEDSIDE_SHARE = 0.3
LOG_BASE = 1.0001
VOCABULARY = 36_000
BIGRAMS, TRIGRAMS = 520_000, 430_000  # of the general model's two million and 1.7: eight megabytes in all
WHEEL_MODEL = "en-us/en-us.lm.bin"


class General:
    """The wheel's own model, asked through its API (newest word first, in logarithms to the base 1.0001)."""

    def __init__(self) -> None:
        self._model = pocketsphinx.NGramModel(
            pocketsphinx.Config(lm=None), pocketsphinx.LogMath(LOG_BASE), pocketsphinx.get_model_path(WHEEL_MODEL)
        )

    def probability(self, word: str, history: Words) -> float:
        return float(LOG_BASE ** self._model.prob([word, *reversed(history)]))


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


def general_grams(vocabulary: set[str]) -> tuple[set[Words], set[Words]]:
    """Bigrams and trigrams of the general model whose loss would be felt, within the vocabulary."""
    model = wheel_model.read(Path(pocketsphinx.get_model_path(WHEEL_MODEL)))
    name = model.words
    bigrams = {(name[model.before2[at]], name[model.word2[at]]) for at in wheel_model.felt_bigrams(model, BIGRAMS)}
    trigrams = {
        (name[model.before3[at]], name[model.before2[model.parent3[at]]], name[model.word2[model.parent3[at]]])
        for at in wheel_model.felt_trigrams(model, TRIGRAMS)
    }
    return {gram for gram in bigrams if vocabulary.issuperset(gram)}, {gram for gram in trigrams if vocabulary.issuperset(gram)}


def build(out: Path, share: float = BEDSIDE_SHARE) -> dict[str, int]:
    """Write both files into `out`; counts of what they hold."""
    general, known = General().probability, pronunciations()
    said = list(sentences())
    unknown = sorted({word for sentence in said for word in sentence} - set(known))
    if unknown:
        print(f"left out, because nobody told how they are pronounced (extra.dict): {' '.join(unknown)}")
    said = [sentence for sentence in said if all(word in known for word in sentence)]
    by_share = sorted((word for word in known if general(word, ()) > 1e-12), key=lambda word: -general(word, ()))
    bedside = WittenBell(said, general)
    own = {gram[0] for gram in bedside.grams(1)} - {END}
    vocabulary = own | set(by_share[:VOCABULARY])
    bigrams, trigrams = general_grams({*vocabulary, START, END})
    grams: list[set[tuple[str, ...]]] = [
        {(word,) for word in (*vocabulary, START, END)},
        bigrams | bedside.grams(2) | {part for gram in trigrams for part in (gram[1:], gram[:-1])},
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
