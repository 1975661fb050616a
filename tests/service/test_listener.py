"""The listener on a real broker, with made-up ears and microphones."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from device import clock
from device.audio import Microphone
from device.bus import Bus
from device.config import Config, Listener
from device.errors import DeviceError, EngineError
from device.events import SpeechStarted, StateChanged, StopHeard, TranscriptFinal, VoiceStarted
from device.lifecycle import Life
from services.listener import service
from services.listener.ears import Ears
from services.listener.service import listen
from tests.listening import FakeRecogniser, ScriptedMicrophone, made_up_ears, sound

SENTENCE = sound((0, 640), (1, 300), (2, 300), (3, 400), (0, 600))


async def watch(bus: Bus[VoiceStarted | TranscriptFinal | StopHeard | StateChanged, SpeechStarted]) -> None:
    """What a test hears and says."""


@asynccontextmanager
async def listening(broker: Any, open_microphone: Callable[[], Microphone], ears: Ears | None = None) -> AsyncIterator[Bus[Any, Any]]:
    config = Config()
    async with Bus(broker.account("test"), watch) as bus, Bus(broker.account("listener"), listen) as own:
        task = asyncio.create_task(listen(own, open_microphone, ears or made_up_ears(), Listener(), Life("listener", config)))
        try:
            yield bus
        finally:
            if task.done():
                task.result()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def first(bus: Bus[Any, Any], kind: type[Any], seconds: float = 10.0) -> Any:
    async with asyncio.timeout(seconds):
        async for event in bus.hear():
            if isinstance(event, kind):
                return event
    raise AssertionError(kind)


async def test_listen_when_a_sentence_is_said_tells_it_on_the_bus(broker: Any) -> None:
    async with listening(broker, lambda: ScriptedMicrophone(SENTENCE)) as bus:
        assert (await first(bus, StateChanged)).state == "ready"
        started = await first(bus, VoiceStarted)
        final = await first(bus, TranscriptFinal)
    assert final.turn == started.turn
    assert (final.text, final.engine) == ("my leg hurts", "made-up")


async def test_listen_when_the_microphone_goes_away_is_degraded_and_comes_back(broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "REOPEN_S", 0.1)
    opened: list[int] = []

    def open_microphone() -> Microphone:
        opened.append(1)
        if len(opened) == 2:
            raise DeviceError("microphone-missing", "No microphone was found.", "Plug one in.")
        return ScriptedMicrophone(SENTENCE if len(opened) == 3 else [0] * 5, then_lost=len(opened) == 1)

    async with listening(broker, open_microphone) as bus:
        states = [await first(bus, StateChanged) for _ in range(4)]
        final = await first(bus, TranscriptFinal)
    assert [(state.state, state.code) for state in states] == [
        ("ready", ""), ("degraded", "microphone-lost"), ("degraded", "microphone-missing"), ("ready", ""),
    ]  # fmt: skip
    assert states[1].remedy
    assert final.text == "my leg hurts"


async def test_listen_when_a_microphone_falls_silent_without_a_word_is_lost(broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "NO_FRAME_S", 0.2)
    async with listening(broker, Stuck) as bus:
        assert (await first(bus, StateChanged)).code == "microphone-lost"


class Stuck(ScriptedMicrophone):
    """Opens, and never gives a frame."""

    def __init__(self) -> None:
        super().__init__([0], pace_s=3600.0)


async def test_listen_when_beside_speaks_and_the_person_says_stop_tells_it(broker: Any) -> None:
    values = sound((0, 1600), (99, 96), (0, 320))
    async with listening(broker, lambda: ScriptedMicrophone(values, pace_s=0.032)) as bus:
        await first(bus, StateChanged)
        await bus.say(SpeechStarted(turn="b", index=0, text="Once upon a time", duration_ms=4000, first_sample_ns=clock.now_ns()))
        assert (await first(bus, StopHeard)).word == "stop"


async def test_listen_when_an_engine_breaks_ends_with_its_sentence(broker: Any) -> None:
    ears = made_up_ears(recogniser=FakeRecogniser(breaks=EngineError("model-broken", "The recogniser broke.", "Start again.")))
    with pytest.raises(EngineError, match="The recogniser broke"):
        async with listening(broker, lambda: ScriptedMicrophone(SENTENCE), ears):
            await asyncio.sleep(2.0)


async def test_listen_when_the_broker_is_killed_in_a_turn_tells_the_final_afterwards(broker: Any) -> None:
    import signal

    async with listening(broker, lambda: ScriptedMicrophone(SENTENCE, pace_s=0.02)) as bus:
        await first(bus, VoiceStarted)
        broker.stop(signal.SIGKILL)
        await asyncio.sleep(1.0)
        broker.start()
        await bus.connected.wait()
        final = await first(bus, TranscriptFinal, seconds=15.0)
    assert final.text == "my leg hurts"
