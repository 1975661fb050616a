"""Does someone speak over Beside's own voice? The spotter alone hears "stop" and "wait" in Beside's sentences now and then.

A person at the bed is louder in the microphone than the loudspeaker's echo. So a stop word counts only when its sound stands
out from the echo's loudest moments before it. Pure: levels in, a yes or no out.
"""

from collections import deque

WORD_FRAMES = 20  # a stop word lasts at most this long (640 ms)
ABOVE_ECHO_DB = 2.0
FORGET_DB = 0.02  # a frame: the volume may be turned down


class Echo:
    """Follows the level of what the microphone hears while Beside speaks."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WORD_FRAMES)
        self._loudest_dbfs = -120.0  # of the frames before the recent ones

    def hear(self, level_dbfs: float) -> bool:
        """One frame; whether the last half second stands out from the echo before it."""
        if len(self._recent) == WORD_FRAMES:
            self._loudest_dbfs = max(self._loudest_dbfs - FORGET_DB, self._recent[0])
        self._recent.append(level_dbfs)
        return max(self._recent) >= self._loudest_dbfs + ABOVE_ECHO_DB

    def pause(self) -> None:
        """Beside is silent: what comes next does not follow what was."""
        self._recent.clear()
