"""E of EMPATHY, emotion recognition: which of the 32 emotions the words carry.

The nearest labelled examples in MiniLM space vote, the nearer the heavier. When their votes scatter the words do not say it
clearly: then Beside asks and does not guess. Pure: vectors in, feeling out.
"""

from dataclasses import dataclass
from typing import get_args

import numpy as np

from device.embedding import Vector, Vectors
from device.events import Emotion

NEIGHBOURS = 12
SHARPNESS = 12.0  # of the vote over cosine distance
CLEAR_SHARE = 0.34
NEAR = 0.30  # cosine; nothing labelled is like these words below it
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)


@dataclass(frozen=True, slots=True)
class Feeling:
    """The strongest emotion, its share of the vote (0..1), and the example that spoke loudest for it."""

    emotion: Emotion
    share: float
    example: str
    nearness: float  # cosine of that example

    @property
    def clear(self) -> bool:
        return self.share >= CLEAR_SHARE and self.nearness >= NEAR


class Feelings:
    """The labelled examples: one vector (384,) each."""

    def __init__(self, labels: list[Emotion], examples: list[str], vectors: Vectors) -> None:
        self._labels = np.array([EMOTIONS.index(label) for label in labels])
        self._examples = examples
        self._vectors = vectors

    def read(self, vector: Vector) -> Feeling:
        """The feeling of one utterance."""
        nearness = self._vectors @ vector
        nearest = np.argsort(-nearness)[:NEIGHBOURS]
        weights = np.exp(SHARPNESS * (nearness[nearest] - nearness[nearest[0]]))
        votes = np.zeros(len(EMOTIONS))
        np.add.at(votes, self._labels[nearest], weights)
        best = int(np.argmax(votes))
        loudest = next(i for i in nearest if self._labels[i] == best)
        return Feeling(
            EMOTIONS[best], round(float(votes[best] / votes.sum()), 3), self._examples[loudest], round(float(nearness[loudest]), 3)
        )


def parse_labels(text: str) -> tuple[list[Emotion], list[str]]:
    """Lines of `emotion<TAB>utterance`; lines of an unknown emotion raise ValueError."""
    labels: list[Emotion] = []
    examples: list[str] = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            label, utterance = line.split("\t")[:2]
            if label not in EMOTIONS:
                raise ValueError(f"{label} is none of the 32 emotions")
            labels.append(label)
            examples.append(utterance.strip())
    return labels, examples
