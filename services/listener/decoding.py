"""The worker beside the loop: recogniser, turn model and stop-word spotter, in order and never in the loop itself.

One thread decodes, a second one asks the turn model (it is asked during a silence, when the first may still be catching up).
Frames wait in a queue while the worker is busy; nothing is dropped. An engine's exception ends the service with its sentence.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from device.audio import RATE_HZ, Frame
from device.events import Event, StopHeard, TranscriptEmpty, TranscriptFinal, TranscriptPartial
from services.listener.ears import Ears, Reading
from services.listener.endpointing import DecidedBy
from services.listener.phantom import Voice, why_no_turn

JUDGED_SAMPLES = 8 * RATE_HZ
SOFT_PAUSE_MS = 100  # a partial is told again every so much silence, so that others may begin to think


@dataclass(frozen=True, slots=True)
class Ending:
    """The decision that a turn is over, with what the VAD knows about its sound."""

    by: DecidedBy
    start_ns: int
    end_ns: int
    decided_ns: int
    voice: Voice


@dataclass(frozen=True, slots=True)
class _Begin:
    turn: str


@dataclass(frozen=True, slots=True)
class _Feed:
    frame: Frame
    quiet_ms: int


@dataclass(frozen=True, slots=True)
class _Finish:
    ending: Ending


@dataclass(frozen=True, slots=True)
class _Spot:
    frame: Frame
    spoken: str  # what Beside itself is saying: its own "stop" is no stop word
    stands_out: bool  # louder than Beside's echo


class Decoding:
    """Takes frames and decisions from the loop, tells events to `say`; `words` and `finished` are what is known so far."""

    def __init__(self, ears: Ears, say: Callable[[Event], None]) -> None:
        self.words = ""
        self.finished: float | None = None
        self.finals = 0
        self._ears = ears
        self._say = say
        self._jobs: asyncio.Queue[_Begin | _Feed | _Finish | _Spot] = asyncio.Queue()
        self._decoder = ThreadPoolExecutor(1, "decode")
        self._judging = ThreadPoolExecutor(1, "judge")
        self._judged: asyncio.Task[None] | None = None
        self._sound: deque[Frame] = deque(maxlen=JUDGED_SAMPLES // 512)
        self._turn = ""
        self._told = ("", 0)
        self._working = False

    @property
    def waiting(self) -> int:
        """Frames and decisions that the worker has not come to yet."""
        return self._jobs.qsize()

    @property
    def busy(self) -> bool:
        """Whether anything is being worked on or waits."""
        return self._working or not self._jobs.empty() or (self._judged is not None and not self._judged.done())

    def begin(self, turn: str, frames: list[Frame]) -> None:
        self.words, self.finished = "", None
        self._sound.clear()
        self._jobs.put_nowait(_Begin(turn))
        for frame in frames:
            self.feed(frame, 0)

    def feed(self, frame: Frame, quiet_ms: int) -> None:
        self._sound.append(frame)
        self._jobs.put_nowait(_Feed(frame, quiet_ms))

    def finish(self, ending: Ending) -> None:
        self._jobs.put_nowait(_Finish(ending))

    def spot(self, frame: Frame, spoken: str, stands_out: bool) -> None:
        """Listen for a stop word while Beside is saying `spoken`; it counts only if this moment stands out from the echo."""
        if self._ears.spotter is not None:
            self._jobs.put_nowait(_Spot(frame, spoken, stands_out))

    def resumed(self) -> None:
        """The person goes on: what the model thought of the pause is of no use any more."""
        self.finished = None
        if self._judged is not None:
            self._judged.cancel()
            self._judged = None

    def ask_judge(self) -> None:
        """Ask the turn model about the sound so far; its answer appears in `finished`."""
        if self._ears.judge is not None and (self._judged is None or self._judged.done()):
            self._judged = asyncio.create_task(self._judge(np.concatenate([frame.samples for frame in self._sound])))

    async def _judge(self, sound: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
        assert self._ears.judge is not None
        share = await asyncio.get_running_loop().run_in_executor(self._judging, self._ears.judge.finished, sound)
        self.finished = max(share, self.finished or 0.0)  # within one silence, the best answer counts

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                job = await self._jobs.get()
                self._working = True
                await self._do(job)
                self._working = False
        finally:
            self.resumed()
            for pool in (self._decoder, self._judging):
                pool.shutdown(wait=False, cancel_futures=True)

    async def _do(self, job: _Begin | _Feed | _Finish | _Spot) -> None:
        loop, recogniser = asyncio.get_running_loop(), self._ears.recogniser
        match job:
            case _Begin(turn):
                self._turn, self._told = turn, ("", 0)
                await loop.run_in_executor(self._decoder, recogniser.begin)
            case _Feed(frame, quiet_ms):
                self.words = await loop.run_in_executor(self._decoder, recogniser.feed, frame.samples)
                self._tell_partial(quiet_ms)
            case _Finish(ending):
                self._tell_final(await loop.run_in_executor(self._decoder, recogniser.finish), ending)
            case _Spot(frame, spoken, stands_out):
                assert self._ears.spotter is not None
                word = await loop.run_in_executor(self._decoder, self._ears.spotter.feed, frame.samples)
                if word and stands_out and f" {word} " not in f" {spoken} ":
                    self._say(StopHeard(turn=self._turn, word=word))

    def _tell_partial(self, quiet_ms: int) -> None:
        now = (self.words, quiet_ms // SOFT_PAUSE_MS)
        if self.words and now != self._told and (now[0] != self._told[0] or now[1] > 0):
            self._say(TranscriptPartial(turn=self._turn, text=self.words[:4000], quiet_ms=quiet_ms))
        self._told = now

    def _tell_final(self, reading: Reading, ending: Ending) -> None:
        reason = why_no_turn(reading, ending.voice)
        if reason is not None:
            self._say(TranscriptEmpty(turn=self._turn, reason=reason))
            return
        self.finals += 1
        self._say(TranscriptFinal(
            turn=self._turn, text=reading.text[:4000], alternatives=tuple(other[:4000] for other in reading.alternatives),
            confidence=reading.confidence, engine=self._ears.recogniser.name, speech_start_ns=ending.start_ns,
            speech_end_ns=ending.end_ns, decided_ns=ending.decided_ns, decided_by=ending.by,
        ))  # fmt: skip
