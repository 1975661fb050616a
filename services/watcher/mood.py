"""Pure: from the shares of single pictures to a mood that may be believed.

One picture is a guess; people blink, chew, turn. Shares are averaged over about two seconds of pictures, weighted by age,
and nothing is said until the strongest label leads for a while. Older faces are misread often (the literature: worst on
neutral, sadness and anger), so "unsure" is a frequent and honest answer.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from device.audio import Picture
from device.events import FaceLabel

LABELS: tuple[FaceLabel, ...] = get_args(FaceLabel)  # the model's own order: angry, disgusted, afraid, happy, sad, surprised, neutral
HALF_LIFE_S = 1.0
SURE = 0.40  # smoothed share of the strongest label below which the mood is unsure
ENOUGH = 2  # pictures with one face before a mood is said
BLACK = 12.0  # mean brightness of 255: a covered lens, a dark room
FROZEN = 3  # identical pictures in a row: a sensor never repeats itself

Shares = NDArray[np.float32]  # (7,), sums to 1
Why = Literal["", "no-face", "many-faces", "black", "frozen", "no-camera", "unsure"]


@dataclass(frozen=True, slots=True)
class Mood:
    """What is known so far; fold pictures into it with `seen` and `unseen`."""

    shares: tuple[float, ...] = (0.0,) * len(LABELS)
    weight: float = 0.0
    pictures: int = 0
    at_ns: int = 0

    def seen(self, shares: Shares, now_ns: int) -> "Mood":
        """One more picture with exactly one face."""
        keep = 0.5 ** ((now_ns - self.at_ns) / 1e9 / HALF_LIFE_S) if self.pictures else 0.0
        mixed = tuple(old * self.weight * keep + float(new) for old, new in zip(self.shares, shares, strict=True))
        weight = self.weight * keep + 1.0
        return Mood(tuple(value / weight for value in mixed), weight, self.pictures + 1, now_ns)

    def unseen(self) -> "Mood":
        """No usable face: an old mood is never shown as today's."""
        return replace(Mood(), at_ns=self.at_ns)

    def top(self, count: int = 3) -> tuple[tuple[FaceLabel, float], ...]:
        """The strongest labels with their shares, strongest first; empty while unsure."""
        ranked = sorted(zip(LABELS, self.shares, strict=True), key=lambda pair: -pair[1])
        if self.pictures < ENOUGH or ranked[0][1] < SURE:
            return ()
        return tuple((label, round(min(share, 1.0), 3)) for label, share in ranked[:count])


def blind_because(picture: Picture, before: Picture | None, same_in_a_row: int) -> Why:
    """Why this picture cannot be looked at, or '' if it can."""
    if picture.size == 0 or float(picture[::8, ::8].mean()) < BLACK:
        return "black"
    if same_in_a_row + 1 >= FROZEN and before is not None and same(picture, before):
        return "frozen"
    return ""


def same(picture: Picture, before: Picture) -> bool:
    """Whether two pictures are identical to the last bit on a coarse grid."""
    return picture.shape == before.shape and bool(np.array_equal(picture[::4, ::4], before[::4, ::4]))
