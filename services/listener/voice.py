"""From the VAD's shares to stretches of voice: when one began, how long it has been quiet, how loud it was. Pure."""

from collections import deque

from device.audio import FRAME_MS, FRAME_NS
from device.clock import NS_PER_MS
from services.listener.phantom import Voice

START_SHARE = 0.5
KEEP_SHARE = 0.35
START_FRAMES, OF_FRAMES = 3, 4  # ~100 ms of voice begin an utterance; a click does not
ROOM_SMOOTHING = 0.03


class VoiceTrack:
    """Follows one utterance after another. Times are monotonic ns, levels dB of full scale."""

    def __init__(self) -> None:
        self.speaking = False
        self.start_ns = 0  # first voiced sample
        self.end_ns = 0  # last voiced sample so far
        self.now_ns = 0
        self._recent: deque[tuple[int, bool]] = deque(maxlen=OF_FRAMES)
        self._room_dbfs = -60.0
        self._voiced_frames = 0
        self._level_sum_db = 0.0

    @property
    def quiet_ms(self) -> int:
        """Since the last voiced sample; 0 while voiced."""
        return max(0, (self.now_ns - self.end_ns) // NS_PER_MS)

    @property
    def spoken_ms(self) -> int:
        return max(0, (self.now_ns - self.start_ns) // NS_PER_MS)

    @property
    def sound(self) -> Voice:
        level = self._level_sum_db / self._voiced_frames if self._voiced_frames else -120.0
        return Voice(self._voiced_frames * FRAME_MS, level, self._room_dbfs)

    def hear(self, at_ns: int, share: float, level_dbfs: float) -> bool:
        """One frame that ended at `at_ns`; True when an utterance begins with it."""
        self.now_ns = at_ns
        if self.speaking:
            if share >= KEEP_SHARE:
                self.end_ns = at_ns
                self._voiced(level_dbfs)
            return False
        self._recent.append((at_ns, share >= START_SHARE))
        if share < KEEP_SHARE:
            self._room_dbfs += ROOM_SMOOTHING * (max(level_dbfs, -90.0) - self._room_dbfs)
        if sum(voiced for _, voiced in self._recent) < START_FRAMES:
            return False
        first_ns = next(at for at, voiced in self._recent if voiced)
        self.begin(first_ns - FRAME_NS, at_ns)
        for _ in range(START_FRAMES):
            self._voiced(level_dbfs)
        return True

    def begin(self, start_ns: int, end_ns: int) -> None:
        """An utterance begins, or the next piece of a long one."""
        self.speaking, self.start_ns, self.end_ns, self.now_ns = True, start_ns, end_ns, end_ns
        self._voiced_frames, self._level_sum_db = 0, 0.0
        self._recent.clear()

    def stop(self) -> None:
        self.speaking = False
        self._recent.clear()

    def _voiced(self, level_dbfs: float) -> None:
        self._voiced_frames += 1
        self._level_sum_db += level_dbfs
