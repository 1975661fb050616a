"""Ears that are made up, for the listener's tests: a sample's value says what an engine is to hear.

Silence is 0. A frame of value v > 0 is voice, and the v-th word of `WORDS` is understood when it begins. The judge believes what
it is told, the spotter hears a stop word in value 99.
"""

import asyncio
from collections.abc import AsyncIterator

import numpy as np

from device import clock
from device.audio import FRAME_NS, FRAME_SAMPLES, Frame, Pcm
from device.errors import DeviceError
from services.listener.ears import Ears, Reading

WORDS = {1: "my", 2: "leg", 3: "hurts", 4: "because", 5: "hello", 6: "the", 99: "stop"}
LOUD = 100  # so that a word's sound stands out from the room


class FakeVoice:
    def __init__(self) -> None:
        self.resets = 0

    def share(self, samples: Pcm) -> float:
        return 0.95 if samples[0] > 0 else 0.02

    def reset(self) -> None:
        self.resets += 1


class FakeJudge:
    def __init__(self, share: float) -> None:
        self.share = share
        self.asked = 0

    def finished(self, utterance: Pcm) -> float:
        self.asked += 1
        return self.share


class FakeRecogniser:
    name = "made-up"

    def __init__(self, breaks: Exception | None = None) -> None:
        self.heard: list[int] = []
        self._breaks = breaks
        self._words: list[str] = []
        self._last = 0

    def begin(self) -> None:
        self._words, self._last = [], 0

    def feed(self, samples: Pcm) -> str:
        if self._breaks is not None:
            raise self._breaks
        value = int(samples[0]) // LOUD
        self.heard.append(value)
        if value and value != self._last:
            self._words.append(WORDS[value])
        self._last = value
        return " ".join(self._words)

    def finish(self) -> Reading:
        return Reading(" ".join(self._words), 0.9)


class FakeSpotter:
    def feed(self, samples: Pcm) -> str:
        return "stop" if int(samples[0]) // LOUD == 99 else ""

    def reset(self) -> None:
        """Nothing to forget."""


def made_up_ears(judged: float | None = 0.9, recogniser: FakeRecogniser | None = None) -> Ears:
    return Ears(FakeVoice(), None if judged is None else FakeJudge(judged), recogniser or FakeRecogniser(), FakeSpotter())


def sound(*stretches: tuple[int, int]) -> list[int]:
    """Frame values from (value, milliseconds) pairs."""
    return [value for value, length_ms in stretches for _ in range(round(length_ms / 32))]


def frame(value: int, at_ns: int) -> Frame:
    return Frame(np.full(FRAME_SAMPLES, value * LOUD, np.int16), at_ns)


class ScriptedMicrophone:
    """Plays frame values faster than real time, then is silent for ever or goes away."""

    dropped_frames = 0

    def __init__(self, values: list[int], then_lost: bool = False, pace_s: float = 0.004) -> None:
        self.name = "script"
        self._values, self._then_lost, self._pace_s = values, then_lost, pace_s

    async def frames(self) -> AsyncIterator[Frame]:
        at_ns = clock.now_ns()
        for value in self._values:
            await asyncio.sleep(self._pace_s)
            at_ns += FRAME_NS
            yield frame(value, at_ns)
        if self._then_lost:
            raise DeviceError("microphone-lost", "The microphone has stopped giving sound.", "Check its plug.")
        while True:
            await asyncio.sleep(self._pace_s)
            at_ns += FRAME_NS
            yield frame(0, at_ns)

    async def close(self) -> None:
        """Nothing is open."""
