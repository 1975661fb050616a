"""The listener: hears a voice, decides when the person has finished, says what they said.

Sound lives and dies in this process: only words cross the bus. A microphone that goes away makes the service degraded until
it is back.
"""

import asyncio
import logging
from collections.abc import Callable

from device.audio import Microphone
from device.bus import Bus
from device.config import Listener
from device.errors import BesideError, DeviceError
from device.events import (
    Event,
    SpeechEnded,
    SpeechStarted,
    StopHeard,
    TranscriptEmpty,
    TranscriptFinal,
    TranscriptPartial,
    VoiceStarted,
)
from device.lifecycle import Life, notify_systemd
from services.listener.decoding import Decoding
from services.listener.ears import Ears
from services.listener.turns import Turns

log = logging.getLogger(__name__)

Hears = SpeechStarted | SpeechEnded
Says = VoiceStarted | TranscriptPartial | TranscriptFinal | TranscriptEmpty | StopHeard

NO_FRAME_S = 3.0  # a microphone that says nothing for so long is lost, whatever it claims
REOPEN_S = 1.0


async def listen(
    bus: Bus[SpeechStarted | SpeechEnded, VoiceStarted | TranscriptPartial | TranscriptFinal | TranscriptEmpty | StopHeard],
    open_microphone: Callable[[], Microphone],
    ears: Ears,
    config: Listener,
    life: Life,
) -> None:
    """Listen until cancelled. EngineError when an engine fails; a lost microphone is reported and waited for."""
    outbox: asyncio.Queue[Event] = asyncio.Queue()  # the broker's receipt may take long; the frames do not wait for it
    decoding = Decoding(ears, outbox.put_nowait)
    turns = Turns(ears, decoding, outbox.put_nowait, config)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_say_in_order(bus, outbox), name="say")
            tasks.create_task(_hear_beside(bus, turns), name="hear Beside")
            tasks.create_task(decoding.run(), name="decode")
            tasks.create_task(_hear_microphone(bus, open_microphone, turns, life), name="microphone")
    except* BesideError as troubles:
        raise troubles.exceptions[0] from None  # one sentence for people; the group adds nothing


async def _say_in_order(bus: Bus[Hears, Says], outbox: asyncio.Queue[Event]) -> None:
    while True:
        event = await outbox.get()
        assert isinstance(event, bus.says)
        await bus.say(event)  # type: ignore[arg-type]  # narrowed to the signature's events by the line above


async def _hear_beside(bus: Bus[Hears, Says], turns: Turns) -> None:
    async for event in bus.hear():
        match event:
            case SpeechStarted():
                turns.speech_started(event)
            case SpeechEnded():
                turns.speech_ended(event)


async def _hear_microphone(bus: Bus[Hears, Says], open_microphone: Callable[[], Microphone], turns: Turns, life: Life) -> None:
    """Frames for ever; ready with the first one, degraded while there are none."""
    told = ""  # code of the trouble that was told
    while True:
        try:
            microphone = open_microphone()
            try:
                await _hear_frames(bus, microphone, turns, life)
            finally:
                await microphone.close()
        except DeviceError as trouble:
            turns.lost()
            if told != trouble.code:
                told = trouble.code
                notify_systemd("READY=1")  # started, though deaf: the state says so
                await life.degraded(bus, trouble)
        life.worked()  # looking for the microphone is the work now
        await asyncio.sleep(REOPEN_S)


async def _hear_frames(bus: Bus[Hears, Says], microphone: Microphone, turns: Turns, life: Life) -> None:
    frames = microphone.frames()
    first = True
    while True:
        try:
            async with asyncio.timeout(NO_FRAME_S):  # not wait_for: on Python 3.11 it can swallow a cancellation
                frame = await anext(frames)
        except (TimeoutError, StopAsyncIteration) as error:
            raise DeviceError(
                "microphone-lost", f"The microphone ({microphone.name}) gives no sound.", "Check its plug and its switch."
            ) from error
        if first:
            first = False
            log.info("listening to %s", microphone.name)
            await life.ready(bus)
        turns.hear(frame)
        life.worked()
