"""Is the turn over? Decided from the silence, the sound of the phrase (Smart Turn) and the last words, together.

Two witnesses: the model hears melody, the words know grammar. Both say "finished": a short silence is enough. Both say "not
finished", or the words end in "because": twice the usual ceiling, because cutting a person off is worse than being slow. A
doubtful melody after whole words: half way. Else the ceiling. Pure.
"""

from dataclasses import dataclass
from typing import Literal

from services.listener.last_words import openness

DecidedBy = Literal["model-and-words", "silence", "ceiling", "too-long"]

LONGEST_PATIENCE_MS = 3500
FINISHED_SHARE = 0.5
DOUBTFUL_SHARE = 0.1  # at the true end of a phrase the model goes below this once in six times (human clips)
PIECE_PAUSE_MS = 96  # a monologue is cut at the first breath after its length …
PIECE_AT_LATEST = 1.1  # … or here, breath or not


@dataclass(frozen=True, slots=True)
class Limits:
    """Of this person, now."""

    quick_ms: int = 200
    ceiling_ms: int = 1000
    longest_ms: int = 120_000


@dataclass(frozen=True, slots=True)
class Pause:
    """A moment of silence inside what may still be a turn."""

    quiet_ms: int  # since the last voiced sample
    spoken_ms: int  # since the first one
    words: str  # the partial so far
    finished: float | None = None  # the model's share, None while it has none


def needed_quiet_ms(pause: Pause, limits: Limits) -> tuple[int, DecidedBy]:
    """How much silence ends this turn, and what the decision would be called."""
    half_way_ms = (limits.quick_ms + limits.ceiling_ms) // 2
    words = openness(pause.words)
    if words != "closed":
        if words == "open" and (pause.finished is None or pause.finished >= FINISHED_SHARE):
            return limits.ceiling_ms, "ceiling"
        longer_ms = 2 * limits.ceiling_ms if words == "surely-open" else 3 * limits.ceiling_ms // 2
        return max(limits.ceiling_ms, min(LONGEST_PATIENCE_MS, longer_ms)), "ceiling"
    if pause.finished is None:
        return half_way_ms, "silence"
    if pause.finished >= FINISHED_SHARE:
        return limits.quick_ms, "model-and-words"
    return (half_way_ms, "silence") if pause.finished >= DOUBTFUL_SHARE else (limits.ceiling_ms, "ceiling")


def turn_over(pause: Pause, limits: Limits) -> DecidedBy | None:
    """What ends the turn at this moment, or None while it goes on."""
    if pause.spoken_ms >= limits.longest_ms * PIECE_AT_LATEST or (
        pause.spoken_ms >= limits.longest_ms and pause.quiet_ms >= PIECE_PAUSE_MS
    ):
        return "too-long"
    needed_ms, by = needed_quiet_ms(pause, limits)
    return by if pause.quiet_ms >= needed_ms else None
