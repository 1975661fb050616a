"""The speaker: says what guardian requests, and reports what was really heard.

While one clause plays the next is synthesised. A stop, or an urgent request, empties the queue and silences the
loudspeaker within 100 ms. When guardian is gone nobody can vet the words, so the speaker says one built-in sentence and
then nothing until guardian is back.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from device.audio import Loudspeaker, Played
from device.bus import Bus
from device.clock import now_ns
from device.errors import DeviceError, EngineError
from device.events import SpeechEnded, SpeechRequest, SpeechStarted, SpeechStop, StateChanged
from device.lifecycle import Life
from services.speaker.outage import Outage
from services.speaker.shaping import Shaped, shape
from services.speaker.voice import Voice, heard, speakable

log = logging.getLogger(__name__)

WITHOUT_GUARDIAN = "I have to be quiet for a moment, something in me is not working. If you need someone, please press your call button."
LOOK_S = 0.25  # how often the outage is looked at
REMEMBERED_EVENTS = 256  # a redelivered request is never said twice, a redelivered stop cuts nothing off
PROBE_S = 5.0
MEND_S = 2.0  # how often a loudspeaker that is not there is looked for

SpeakerBus = Bus[SpeechRequest | SpeechStop | StateChanged, SpeechStarted | SpeechEnded]


class Mendable(Loudspeaker, Protocol):
    """A loudspeaker that may be away and come back."""

    async def mend(self) -> None:
        """Open the device if it is not there any more; DeviceError while it cannot be had."""
        ...


async def speak(
    bus: Bus[SpeechRequest | SpeechStop | StateChanged, SpeechStarted | SpeechEnded], voice: Voice, loudspeaker: Mendable, life: Life
) -> None:
    """Speaks the clauses that guardian releases, and says what was heard of them."""
    mouth = Mouth(bus, voice, loudspeaker, life)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(mouth.synthesise_ahead())
        tasks.create_task(mouth.play_out())
        tasks.create_task(mouth.prove_alive())
        tasks.create_task(mouth.mind_the_guardian())
        tasks.create_task(mouth.mind_the_loudspeaker())
        async for event in bus.hear():
            match event:
                case SpeechRequest():
                    mouth.request(event)
                case SpeechStop():
                    mouth.told_to_stop(event)
                case StateChanged(service="guardian"):
                    mouth.guardian_is(event.state)


@dataclass(slots=True)
class Job:
    """One requested clause on its way from text to sound."""

    epoch: int
    request: SpeechRequest
    spoken: str  # what the voice is given
    shaped: Shaped | None = None  # None: nothing to be heard


class Mouth:
    """The queue between request, synthesis and sound. `_epoch` counts stops: whatever belongs to an older one is dropped."""

    def __init__(self, bus: SpeakerBus, voice: Voice, loudspeaker: Mendable, life: Life) -> None:
        self._bus, self._voice, self._loudspeaker, self._life = bus, voice, loudspeaker, life
        self._wanted: asyncio.Queue[Job] = asyncio.Queue()
        self._ready: asyncio.Queue[Job] = asyncio.Queue(maxsize=2)
        self._epoch = 0
        self._known: deque[str] = deque(maxlen=REMEMBERED_EVENTS)
        self._outage = Outage(now_ns())
        self._guardian_there = False
        self._voice_free = asyncio.Lock()
        self._worked_ns = 0
        self._unwell = ""  # the code of the voice's trouble that was announced last; empty while well
        self._mute = "not-opened"  # the code of the loudspeaker's; not ready before the first sound could go out

    def request(self, event: SpeechRequest) -> None:
        """Say this after all that was asked before it, or at once if it is urgent."""
        if self._is_new(event.id):
            self._enqueue(event, refused=self._outage.silent)

    def told_to_stop(self, event: SpeechStop) -> None:
        if self._is_new(event.id):
            self.stop()

    def stop(self) -> None:
        """Be silent now and forget what is queued; each clause still reports what was heard of it."""
        self._epoch += 1
        self._loudspeaker.stop()

    def guardian_is(self, state: str) -> None:
        if state != "starting":
            self._guardian_there = state != "gone"
            self._outage.guardian(self._guardian_there, now_ns())

    def _is_new(self, event_id: str) -> bool:
        if event_id in self._known:
            return False
        self._known.append(event_id)
        return True

    def _enqueue(self, event: SpeechRequest, refused: bool = False) -> None:
        if event.urgent and not refused:
            self.stop()
        self._wanted.put_nowait(Job(self._epoch - refused, event, speakable(event.text)))  # of an older epoch: reported, not said

    async def synthesise_ahead(self) -> None:
        """Text to sound, at most two clauses ahead of the one that plays."""
        while True:
            job = await self._wanted.get()
            if job.epoch == self._epoch and job.spoken:
                job.shaped = await self._synthesise(job.spoken)
            await self._ready.put(job)

    async def _synthesise(self, spoken: str) -> Shaped | None:
        """The clause's sound, or None when the voice failed: that is announced, and the queue goes on."""
        async with self._voice_free:
            try:
                shaped = await asyncio.to_thread(lambda: shape(self._voice.synthesise(spoken), spoken))
            except EngineError as trouble:
                if self._unwell != trouble.code:
                    self._unwell = trouble.code
                    await self._life.degraded(self._bus, trouble)
                return None
        self._worked_ns = now_ns()
        self._life.worked()
        if self._unwell:
            self._unwell = ""
            await self._well_again()
        return shaped

    async def play_out(self) -> None:
        """Sound to the loudspeaker, one clause after the other."""
        while True:
            job = await self._ready.get()
            stale = job.epoch != self._epoch
            if stale or job.shaped is None or job.shaped.pcm.size == 0:
                await self._report(job, Played(0, 0, stale))
            else:
                await self._play(job, job.shaped)

    async def _play(self, job: Job, shaped: Shaped) -> None:
        tasks: list[asyncio.Task[None]] = []

        def started(first_sample_ns: int) -> None:
            audible_ns = first_sample_ns + shaped.first * 1_000_000_000 // shaped.rate_hz
            tasks.append(asyncio.create_task(self._say_started(job.request, shaped.ms, audible_ns)))
            if job.epoch != self._epoch:  # stopped between the decision to play and the first sample
                self._loudspeaker.stop()

        playing = asyncio.ensure_future(self._loudspeaker.play(shaped.pcm, shaped.rate_hz, started))
        try:
            await asyncio.shield(playing)
        except DeviceError as trouble:
            await self._lost(trouble)
        finally:  # told to end in the middle of a clause: what was heard until then still counts
            self._loudspeaker.stop()
            await asyncio.wait({playing})
            await self._report(job, Played(0, 0, True) if playing.exception() else playing.result())
            await asyncio.gather(*tasks)

    async def _say_started(self, request: SpeechRequest, duration_ms: int, first_sample_ns: int) -> None:
        await self._bus.say(SpeechStarted(
            session=request.session, turn=request.turn, index=request.index, text=request.text,
            duration_ms=duration_ms, first_sample_ns=first_sample_ns,
        ))  # fmt: skip

    async def _report(self, job: Job, played: Played) -> None:
        request, shaped = job.request, job.shaped
        share = 0.0 if shaped is None else shaped.share(played.samples)
        await self._bus.say(SpeechEnded(
            session=request.session, turn=request.turn, index=request.index, text=request.text, heard_text=heard(job.spoken, share),
            heard_ms=0 if shaped is None else 1000 * played.samples // shaped.rate_hz, interrupted=played.interrupted,
            last=request.last, engine=self._voice.name,
        ))  # fmt: skip

    async def mind_the_guardian(self) -> None:
        """One built-in sentence when guardian has been gone for two seconds, then silence until it is back."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = now_ns()
            self._outage.guardian(self._guardian_there and self._bus.connected.is_set(), now)
            if self._outage.sentence_due(now):
                log.warning("guardian is gone: one built-in sentence, then silence")
                self._enqueue(SpeechRequest(index=0, text=WITHOUT_GUARDIAN, by="guardian", last=True, urgent=True))

    async def mind_the_loudspeaker(self) -> None:
        """Ready once the loudspeaker is there; degraded while it is not; looked for until it comes."""
        while True:
            try:
                await self._loudspeaker.mend()
            except DeviceError as trouble:
                await self._lost(trouble)
            else:
                if self._mute:
                    self._mute = ""
                    await self._well_again()
            await asyncio.sleep(MEND_S)

    async def _lost(self, trouble: DeviceError) -> None:
        if self._mute != trouble.code:
            self._mute = trouble.code
            await self._life.degraded(self._bus, trouble)

    async def _well_again(self) -> None:
        if not self._unwell and not self._mute:
            await self._life.ready(self._bus)

    async def prove_alive(self) -> None:
        """The watchdog is fed by sound that was made: a probe of the voice whenever nothing else was said for a while."""
        while True:
            if now_ns() - self._worked_ns >= PROBE_S * 1e9:
                await self._synthesise("hm")
            await asyncio.sleep(PROBE_S)
