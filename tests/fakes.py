"""Small engines and devices with the faces of the real ones, for tests that are not about engines."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np

from device.audio import RATE_HZ, Pcm, Played, Started
from device.clock import now_ns
from device.errors import EngineError
from services.speaker.voice import Sound


def tone(ms: int, rate_hz: int = RATE_HZ, height: int = 8000) -> Pcm:
    """A 300 Hz tone."""
    samples = np.arange(ms * rate_hz // 1000)
    return (height * np.sin(2 * np.pi * 300 * samples / rate_hz)).astype(np.int16)


@dataclass
class FakeVoice:
    """A tone of `ms_per_char` for each character; fails on the texts in `fails_on`; remembers what it was given and when."""

    ms_per_char: float = 10.0
    takes_s: float = 0.0
    fails_on: tuple[str, ...] = ()
    name: str = "fake-voice"
    asked: list[tuple[str, int]] = field(default_factory=list)  # text, monotonic ns

    def synthesise(self, text: str) -> Sound:
        self.asked.append((text, now_ns()))
        time.sleep(self.takes_s)
        if text in self.fails_on:
            raise EngineError("fake-failed", "The fake voice was told to fail.", "Nothing helps.")
        return Sound(tone(int(len(text) * self.ms_per_char)), RATE_HZ)

    def texts(self) -> list[str]:
        """What was asked for, without the speaker's own probes."""
        return [text for text, _ in self.asked if text != "hm"]


@dataclass
class FakeLoudspeaker:
    """Plays in real time to nobody; remembers each clause's samples and how many went out."""

    name: str = "fake-loudspeaker"
    played: list[Played] = field(default_factory=list)
    began_ns: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = asyncio.Event()

    alive = True

    async def mend(self) -> None:
        return None

    async def play(self, pcm: Pcm, rate_hz: int, started: Started) -> Played:
        self._stop.clear()
        begin = now_ns()
        self.began_ns.append(begin)
        started(begin)
        try:
            await asyncio.wait_for(self._stop.wait(), pcm.size / rate_hz)
        except TimeoutError:
            out = Played(pcm.size, begin, False)
        else:
            out = Played(min(pcm.size, (now_ns() - begin) * rate_hz // 1_000_000_000), begin, True)
        self.played.append(out)
        return out

    def stop(self) -> None:
        self._stop.set()

    async def close(self) -> None:
        self._stop.set()
