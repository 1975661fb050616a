"""E of EMPATHY, emotion recognition: which of the 32 emotions the words carry.

A linear reading of the sentence's direction in MiniLM space: one direction for each emotion, learned from the thousands of
utterances that the authors labelled (`python -m models.workshop feelings`). One emotion of 32 is often a matter of taste,
its family (hurt, fear, anger, bright) much less so; words are clear when one emotion or one family leads. When they are not,
Beside asks and does not guess. Pure: a vector in, a feeling out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from device.embedding import Vector
from device.events import Emotion

CLEAR_SHARE = 0.30  # one emotion leads: right in about half of held-back lines, chance is one in 32
CLEAR_FAMILY = 0.60  # one family leads: right in about four of five
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)
HURT: frozenset[Emotion] = frozenset(
    {"sad", "lonely", "devastated", "disappointed", "nostalgic", "sentimental", "jealous", "ashamed", "guilty", "embarrassed"}
)
FEAR: frozenset[Emotion] = frozenset({"afraid", "anxious", "apprehensive", "terrified"})
ANGER: frozenset[Emotion] = frozenset({"angry", "annoyed", "furious", "disgusted"})
BRIGHT: frozenset[Emotion] = frozenset(EMOTIONS) - HURT - FEAR - ANGER - {"surprised"}
FAMILIES: Mapping[str, frozenset[Emotion]] = {"hurt": HURT, "fear": FEAR, "anger": ANGER, "bright": BRIGHT}


@dataclass(frozen=True, slots=True)
class Feeling:
    """The leading emotion and its family, each with its share (0..1) of all 32."""

    emotion: Emotion
    share: float
    family: str  # hurt, fear, anger, bright, or "" for surprise
    family_share: float

    @property
    def clear(self) -> bool:
        return self.share >= CLEAR_SHARE or self.family_share >= CLEAR_FAMILY

    def __str__(self) -> str:
        family = f", {self.family} {self.family_share:.0%}" if self.family else ""
        return f"{self.emotion} {self.share:.0%}{family}"


class Feelings:
    """`weights` (384, 32) and `bias` (32,), in the order of `EMOTIONS`."""

    def __init__(self, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        if weights.shape[1:] != (len(EMOTIONS),) or bias.shape != (len(EMOTIONS),):
            raise ValueError(f"expected one direction for each of {len(EMOTIONS)} emotions")
        self._weights, self._bias = weights, bias

    def read(self, vector: Vector) -> Feeling:
        """The feeling of one utterance."""
        shares = softmax(vector @ self._weights + self._bias)
        by_family = {name: float(sum(shares[EMOTIONS.index(e)] for e in members)) for name, members in FAMILIES.items()}
        family = max(by_family, key=lambda name: by_family[name])
        # The leader comes from the leading family when that is clear: "sad" and "lonely" may share what "content" leads by a hair.
        members = FAMILIES[family] if by_family[family] >= CLEAR_FAMILY else frozenset(EMOTIONS)
        best = max(members, key=lambda e: float(shares[EMOTIONS.index(e)]))
        own = next((name for name, each in FAMILIES.items() if best in each), "")
        return Feeling(best, round(float(shares[EMOTIONS.index(best)]), 3), own, round(by_family.get(own, 0.0), 3))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shares that sum to 1, over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float32] = (raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32)
    return shares
