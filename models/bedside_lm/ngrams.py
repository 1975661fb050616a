"""N-gram counts and smoothing, as much as the bedside language model needs: up to three words, Witten-Bell, ARPA.

A model here is a function `probability(word, history)`; histories are tuples of at most two words, oldest first.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

import numpy as np

Words = tuple[str, ...]
Probability = Callable[[str, Words], float]
START, END = "<s>", "</s>"
ORDER = 3


class WittenBell:
    """Counted sentences; what was never seen after a history is shared out by the shorter history, at last by `base`."""

    def __init__(self, sentences: Iterable[list[str]], base: Probability) -> None:
        self._after: defaultdict[Words, Counter[str]] = defaultdict(Counter)
        self._base = base
        for sentence in sentences:
            line = [START, *sentence, END]
            for at in range(1, len(line)):
                for length in range(min(ORDER, at + 1)):
                    self._after[tuple(line[at - length : at])][line[at]] += 1
        self._total = {history: (sum(after.values()), len(after)) for history, after in self._after.items()}

    def probability(self, word: str, history: Words) -> float:
        shorter = self.probability(word, history[1:]) if history else self._base(word, ())
        if history not in self._total:
            return shorter
        seen, kinds = self._total[history]
        return (self._after[history][word] + kinds * shorter) / (seen + kinds)

    def grams(self, length: int) -> set[Words]:
        """Every n-gram of `length` words that was counted."""
        return {(*history, word) for history, after in self._after.items() if len(history) == length - 1 for word in after}


def mixed(first: Probability, second: Probability, share: float) -> Probability:
    """`share` of the first model, the rest of the second."""
    return lambda word, history: share * first(word, history) + (1.0 - share) * second(word, history)


def write_arpa(path: Path, grams: list[set[Words]], probability: Probability) -> None:
    """A back-off model that knows `grams` (by length, from 1) with these probabilities; back-off weights make it sum to one."""
    known: list[dict[Words, float]] = []
    for length, wanted in enumerate(grams, start=1):
        whole = {gram for gram in wanted if length == 1 or (gram[1:] in known[-1] and gram[:-1] in known[-1])}
        known.append({gram: probability(gram[-1], gram[:-1]) for gram in whole})
    spoken_mass = sum(share for gram, share in known[0].items() if gram != (START,))
    known[0] = {gram: share / spoken_mass for gram, share in known[0].items()}
    backoff = _backoff_weights(known)
    with path.open("w", encoding="utf-8") as out:
        out.write("\\data\\\n" + "".join(f"ngram {length}={len(level)}\n" for length, level in enumerate(known, start=1)))
        for length, level in enumerate(known, start=1):
            out.write(f"\n\\{length}-grams:\n")
            _write_level(out, level, backoff, last=length == len(known))
        out.write("\n\\end\\\n")


def _backoff_weights(known: list[dict[Words, float]]) -> dict[Words, float]:
    weights: dict[Words, float] = {}
    for length in range(1, len(known)):
        here: defaultdict[Words, float] = defaultdict(float)
        below: defaultdict[Words, float] = defaultdict(float)
        for gram, share in known[length].items():
            here[gram[:-1]] += share
            below[gram[:-1]] += known[length - 1][gram[1:]]
        for history, mass in here.items():
            weights[history] = max(1e-6, 1.0 - mass) / max(1e-6, 1.0 - below[history])
    return weights


def _write_level(out: TextIO, level: dict[Words, float], backoff: dict[Words, float], last: bool) -> None:
    for gram in sorted(level):
        log_share = -99.0 if gram == (START,) else float(np.log10(max(level[gram], 1e-30)))
        line = f"{log_share:.4f}\t{' '.join(gram)}"
        out.write(line + ("\n" if last else f"\t{float(np.log10(backoff.get(gram, 1.0))):.4f}\n"))
