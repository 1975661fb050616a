"""The speaker: says what guardian requests, and reports what was really heard.

While one clause plays the next is synthesised. A stop, or an urgent request, empties the queue and silences the
loudspeaker within 100 ms. When guardian is gone nobody can vet the words, so the speaker says one built-in sentence and
then nothing until guardian is back.
"""

import asyncio
import contextlib
import logging
from collections import deque

import numpy as np

from device.audio import Loudspeaker, Played
from device.bus import Bus
from device.clock import now_ns
from device.errors import BesideError
from device.events import SpeechEnded, SpeechRequest, SpeechStarted, SpeechStop, StateChanged
from device.lifecycle import Life
from services.speaker.voice import Sound, Voice, heard, speakable

log = logging.getLogger(__name__)

GUARDIAN_GONE_S = 2.0
WITHOUT_GUARDIAN = "I have to be quiet for a moment, something in me is not working. If you need someone, please press your call button."
REMEMBERED_REQUESTS = 256  # a redelivered request is never said twice
AUDIBLE = 104  # int16 steps, -50 dB of full scale
PROBE_S = 5.0

SpeakerBus = Bus[SpeechRequest | SpeechStop | StateChanged, SpeechStarted | SpeechEnded]


async def speak(
    bus: Bus[SpeechRequest | SpeechStop | StateChanged, SpeechStarted | SpeechEnded], voice: Voice, loudspeaker: Loudspeaker, life: Life
) -> None:
    """Speaks the clauses that guardian releases, and says what was heard of them."""
    mouth = Mouth(bus, voice, loudspeaker, life)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(mouth.synthesise_ahead())
        tasks.create_task(mouth.play_out())
        tasks.create_task(mouth.prove_alive())
        tasks.create_task(mouth.mind_the_guardian())
        async for event in bus.hear():
            match event:
                case SpeechRequest():
                    mouth.request(event)
                case SpeechStop():
                    mouth.stop()
                case StateChanged(service="guardian"):
                    mouth.guardian_is(event.state)


class Mouth:
    """The queue between request, synthesis and sound. `_epoch` counts stops: whatever belongs to an older one is dropped."""

    def __init__(self, bus: SpeakerBus, voice: Voice, loudspeaker: Loudspeaker, life: Life) -> None:
        self._bus, self._voice, self._loudspeaker, self._life = bus, voice, loudspeaker, life
        self._wanted: asyncio.Queue[tuple[int, SpeechRequest]] = asyncio.Queue()
        self._ready: asyncio.Queue[tuple[int, SpeechRequest, Sound]] = asyncio.Queue(maxsize=2)
        self._epoch = 0
        self._known: deque[str] = deque(maxlen=REMEMBERED_REQUESTS)
        self._guardian_seen = False
        self._guardian_back = asyncio.Event()
        self._guardian_gone = asyncio.Event()

    def request(self, event: SpeechRequest) -> None:
        if event.id in self._known:
            return
        self._known.append(event.id)
        if event.urgent:
            self.stop()
        self._wanted.put_nowait((self._epoch, event))

    def stop(self) -> None:
        self._epoch += 1
        self._loudspeaker.stop()

    def guardian_is(self, state: str) -> None:
        if state == "gone":
            if self._guardian_seen:  # a retained "gone" from before our time is no news
                self._guardian_back.clear()
                self._guardian_gone.set()
        else:
            self._guardian_seen = True
            self._guardian_gone.clear()
            self._guardian_back.set()

    async def synthesise_ahead(self) -> None:
        while True:
            epoch, request = await self._wanted.get()
            sound = Sound(np.zeros(0, np.int16), 16_000)
            if epoch == self._epoch:
                try:
                    sound = await asyncio.to_thread(self._voice.synthesise, speakable(request.text))
                    self._life.worked()
                except BesideError as trouble:
                    await self._life.degraded(self._bus, trouble)
            await self._ready.put((epoch, request, sound))

    async def play_out(self) -> None:
        while True:
            epoch, request, sound = await self._ready.get()
            if epoch != self._epoch or sound.pcm.size == 0:
                await self._report(request, Played(0, 0, epoch != self._epoch), sound)
                continue
            try:
                played = await self._play(request, sound)
            except BesideError as trouble:
                await self._life.degraded(self._bus, trouble)
                played = Played(0, 0, True)
            await self._report(request, played, sound)

    async def _play(self, request: SpeechRequest, sound: Sound) -> Played:
        loud = np.flatnonzero(np.abs(sound.pcm) > AUDIBLE)
        lead_ns = int(loud[0]) * 1_000_000_000 // sound.rate_hz if loud.size else 0
        tasks: list[asyncio.Task[None]] = []

        def started(first_sample_ns: int) -> None:
            tasks.append(asyncio.ensure_future(self._bus.say(SpeechStarted(
                session=request.session, turn=request.turn, index=request.index, text=request.text,
                duration_ms=sound.ms, first_sample_ns=first_sample_ns + lead_ns,
            ))))  # fmt: skip

        played = await self._loudspeaker.play(sound.pcm, sound.rate_hz, started)
        await asyncio.gather(*tasks)
        return played

    async def _report(self, request: SpeechRequest, played: Played, sound: Sound) -> None:
        share = played.samples / sound.pcm.size if sound.pcm.size else 0.0
        await self._bus.say(SpeechEnded(
            session=request.session, turn=request.turn, index=request.index, text=request.text, heard_text=heard(request.text, share),
            heard_ms=1000 * played.samples // sound.rate_hz, interrupted=played.interrupted, last=request.last, engine=self._voice.name,
        ))  # fmt: skip

    async def mind_the_guardian(self) -> None:
        """One built-in sentence when guardian has been gone for two seconds, then silence until it is back."""
        while True:
            await self._guardian_gone.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._guardian_back.wait(), GUARDIAN_GONE_S)
            if self._guardian_gone.is_set():
                log.warning("guardian is gone: one built-in sentence, then silence")
                self.request(SpeechRequest(index=0, text=WITHOUT_GUARDIAN, by="guardian", last=True, urgent=True))
                await self._guardian_back.wait()

    async def prove_alive(self) -> None:
        """The watchdog is fed by sound that was made: a probe of the voice while nobody speaks."""
        while True:
            begin = now_ns()
            await asyncio.to_thread(self._voice.synthesise, "hm")
            if now_ns() - begin < PROBE_S * 1e9:
                self._life.worked()
            await asyncio.sleep(PROBE_S)
