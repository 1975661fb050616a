"""How long this person pauses: learned from the pauses inside their turns, and from being cut off. Pure.

Cut off means: we decided that the turn was over, and they went on before they could have heard an answer.
"""

from collections import deque

from services.listener.endpointing import LONGEST_PATIENCE_MS, DecidedBy, Limits

PAUSES = 60
FEWEST_PAUSES = 12
SAME_BREATH_MS = 1500  # who goes on within this, before Beside speaks, had not finished
SLOWEST_QUICK_MS = 600


class Patience:
    """Limits that begin at the configuration's and grow with the person."""

    def __init__(self, limits: Limits) -> None:
        self._start = limits
        self._pauses_ms: deque[int] = deque(maxlen=PAUSES)
        self._quick_ms = float(limits.quick_ms)
        self._least_ceiling_ms = float(limits.ceiling_ms)
        self.turns = 0
        self.cut_offs = 0
        self.slow_ends = 0  # the full ceiling was waited for

    @property
    def limits(self) -> Limits:
        ceiling_ms = self._least_ceiling_ms
        if len(self._pauses_ms) >= FEWEST_PAUSES:
            long_pause_ms = sorted(self._pauses_ms)[int(0.95 * (len(self._pauses_ms) - 1))]
            ceiling_ms = max(ceiling_ms, 1.25 * long_pause_ms)
        return Limits(round(self._quick_ms), round(min(LONGEST_PATIENCE_MS, ceiling_ms)), self._start.longest_ms)

    def paused(self, pause_ms: int) -> None:
        """A pause inside a turn, after which the person went on."""
        self._pauses_ms.append(min(pause_ms, LONGEST_PATIENCE_MS))

    def ended(self, by: DecidedBy) -> None:
        self.turns += 1
        self.slow_ends += by == "ceiling"
        self._quick_ms = max(float(self._start.quick_ms), self._quick_ms - 5.0)
        self._least_ceiling_ms = max(float(self._start.ceiling_ms), self._least_ceiling_ms - 20.0)

    def went_on(self, pause_ms: int, by: DecidedBy) -> bool:
        """The person spoke again `pause_ms` after the end of a turn, Beside having said nothing: were they cut off?"""
        if pause_ms > SAME_BREATH_MS + self.limits.ceiling_ms or by == "too-long":
            return False
        self.cut_offs += 1
        self._pauses_ms.append(min(pause_ms, LONGEST_PATIENCE_MS))
        if by == "model-and-words":
            self._quick_ms = min(float(SLOWEST_QUICK_MS), self._quick_ms + 100.0)
        else:
            self._least_ceiling_ms = min(float(LONGEST_PATIENCE_MS), max(self._least_ceiling_ms * 1.25, 1.2 * pause_ms))
        return True
