"""The last half second of sound: the VAD triggers after a word has begun, and the beginning must not be lost."""

from collections import deque

from device.audio import FRAME_MS, Frame

PREROLL_MS = 640


class Preroll:
    """A ring of frames, at least half a second long."""

    def __init__(self, length_ms: int = PREROLL_MS) -> None:
        self._ring: deque[Frame] = deque(maxlen=-(-length_ms // FRAME_MS))

    def keep(self, frame: Frame) -> None:
        self._ring.append(frame)

    def clear(self) -> None:
        """Forget: what was heard was Beside's own voice."""
        self._ring.clear()

    def take(self) -> list[Frame]:
        """The frames, oldest first; the ring is empty afterwards, so that no sound is heard twice."""
        frames = list(self._ring)
        self._ring.clear()
        return frames
