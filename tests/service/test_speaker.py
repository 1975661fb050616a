"""The speaker on a real broker, with a voice and a loudspeaker of the tests' own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from device.bus import Bus
from device.config import Config
from device.errors import DeviceError
from device.events import SpeechEnded, SpeechRequest, SpeechStarted, SpeechStop, StateChanged
from device.lifecycle import Life
from services.speaker.service import MEND_S, WITHOUT_GUARDIAN, speak
from tests.fakes import FakeLoudspeaker, FakeVoice


async def house(bus: Bus[SpeechStarted | SpeechEnded | StateChanged, SpeechRequest | SpeechStop]) -> None: ...


class Stage:
    """The speaker at work, guardian's account in our hands, and everything the speaker said."""

    def __init__(self, guardian: Bus[Any, Any], voice: FakeVoice, loudspeaker: FakeLoudspeaker) -> None:
        self.guardian, self.voice, self.loudspeaker = guardian, voice, loudspeaker
        self.said: list[Any] = []

    async def ask(self, *texts: str, **facts: Any) -> None:
        for index, text in enumerate(texts):
            request = SpeechRequest(turn="t1", index=index, text=text, by="companion", last=index == len(texts) - 1, **facts)
            await self.guardian.say(request)

    async def listen(self) -> None:
        async for event in self.guardian.hear():
            self.said.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.said if isinstance(event, kind)]

    async def until(self, kind: type, count: int = 1, within_s: float = 8.0) -> list[Any]:
        async with asyncio.timeout(within_s):
            while len(self.of(kind)) < count:  # noqa: ASYNC110  # the list grows in listen()
                await asyncio.sleep(0.005)
        return self.of(kind)


@asynccontextmanager
async def staged(broker: Any, voice: FakeVoice | None = None, loudspeaker: Any = None) -> AsyncIterator[Stage]:
    voice, loudspeaker = voice or FakeVoice(), loudspeaker or FakeLoudspeaker()
    life = Life("speaker", Config())
    async with Bus(broker.account("speaker"), speak) as mouth, Bus(broker.account("guardian"), house) as guardian:
        stage = Stage(guardian, voice, loudspeaker)
        await guardian.announce(StateChanged(service="guardian", state="ready"))
        listening = asyncio.create_task(stage.listen())
        speaking = asyncio.create_task(speak(mouth, voice, loudspeaker, life))
        try:
            yield stage
        finally:
            for task in (speaking, listening):
                task.cancel()
            await asyncio.gather(speaking, listening, return_exceptions=True)


async def test_clauses_are_spoken_in_order_and_each_is_reported_as_heard(broker: Any) -> None:
    async with staged(broker) as stage:
        await stage.ask("Good morning.", "I am glad to hear you.", "How did you sleep?")
        ended = await stage.until(SpeechEnded, 3)
        assert [e.heard_text for e in ended] == ["Good morning.", "I am glad to hear you.", "How did you sleep?"]
        assert [e.last for e in ended] == [False, False, True]
        assert not any(e.interrupted for e in ended)
        assert [e.index for e in stage.of(SpeechStarted)] == [0, 1, 2]
        assert ended[0].engine == "fake-voice"


async def test_the_next_clause_is_made_while_the_last_one_plays(broker: Any) -> None:
    async with staged(broker, FakeVoice(ms_per_char=30, takes_s=0.2)) as stage:
        await stage.ask("One two three four.", "Five six seven.", "Eight nine ten.")
        await stage.until(SpeechEnded, 3)
        began, played = stage.loudspeaker.began_ns, stage.loudspeaker.played
        for i in (0, 1):
            gap_ms = (began[i + 1] - began[i]) / 1e6 - 1000 * played[i].samples / 16000
            assert gap_ms < 100, f"{gap_ms:.0f} ms of dead air: the voice was not asked ahead"


async def test_a_stop_silences_the_clause_and_forgets_the_queue(broker: Any) -> None:
    async with staged(broker, FakeVoice(ms_per_char=60)) as stage:
        await stage.ask("one two three four five six seven.", "Never said.", "Never said either.")
        await stage.until(SpeechStarted)
        await asyncio.sleep(0.5)
        await stage.guardian.say(SpeechStop(why="stop-word"))
        ended = await stage.until(SpeechEnded, 3)
        assert all(e.interrupted for e in ended)
        assert ended[0].heard_text in ("one", "one two", "one two three")
        assert ended[0].heard_ms < 900
        assert [e.heard_text for e in ended[1:]] == ["", ""]
        assert len(stage.loudspeaker.played) == 1


async def test_a_stop_that_comes_with_the_first_sample_is_not_lost(broker: Any) -> None:
    async with staged(broker, FakeVoice(ms_per_char=60)) as stage:
        for _ in range(10):
            stage.said.clear()
            await stage.ask("one two three four five six seven.")
            await stage.guardian.say(SpeechStop(why="voice"))
            ended = await stage.until(SpeechEnded, within_s=1.5)
            assert ended[0].interrupted
            assert ended[0].heard_ms < 200


async def test_an_urgent_clause_is_said_before_everything_else(broker: Any) -> None:
    async with staged(broker, FakeVoice(ms_per_char=60)) as stage:
        await stage.ask("one two three four five six seven.", "Never said.")
        await stage.until(SpeechStarted)
        urgent = SpeechRequest(turn="t2", index=0, text="Please press your button.", by="guardian", last=True, urgent=True)
        await stage.guardian.say(urgent)
        ended = await stage.until(SpeechEnded, 3)
        assert [(e.text, e.interrupted) for e in ended][-1] == ("Please press your button.", False)
        assert [e.interrupted for e in ended] == [True, True, False]


async def test_a_request_that_is_told_twice_is_said_once(broker: Any) -> None:
    async with staged(broker) as stage:
        request = SpeechRequest(turn="t1", index=0, text="Once.", by="companion", last=True)
        for _ in range(3):
            await stage.guardian.say(request)
        await stage.ask("After it.")
        assert [e.text for e in await stage.until(SpeechEnded, 2)] == ["Once.", "After it."]


async def test_a_stop_that_is_told_twice_cuts_off_nothing_new(broker: Any) -> None:
    async with staged(broker) as stage:
        stop = SpeechStop(why="stop-word")
        await stage.guardian.say(stop)
        await stage.ask("Something new to say.")
        await stage.until(SpeechStarted)
        await stage.guardian.say(stop)
        assert not (await stage.until(SpeechEnded))[0].interrupted


@pytest.mark.parametrize("text", ["", "😀 🎉", "...", "\n\n", "***"])
async def test_a_text_without_words_is_reported_and_holds_nothing_up(broker: Any, text: str) -> None:
    async with staged(broker) as stage:
        await stage.ask(text, "Words.")
        ended = await stage.until(SpeechEnded, 2)
        assert [e.heard_text for e in ended] == ["", "Words."]
        assert stage.voice.texts() == ["Words."]


async def test_a_runaway_text_counts_as_heard_only_as_far_as_it_was_spoken(broker: Any) -> None:
    async with staged(broker, FakeVoice(ms_per_char=2)) as stage:
        await stage.ask("word " * 400)
        ended = (await stage.until(SpeechEnded))[0]
        assert 380 <= len(ended.heard_text) <= 400
        assert set(ended.heard_text.split()) == {"word"}


async def test_a_voice_that_fails_is_announced_and_the_queue_goes_on(broker: Any) -> None:
    async with staged(broker, FakeVoice(fails_on=("Broken.",))) as stage:
        await stage.ask("Broken.", "Whole.")
        ended = await stage.until(SpeechEnded, 2)
        assert [(e.text, e.heard_text) for e in ended] == [("Broken.", ""), ("Whole.", "Whole.")]
        states = [e.state for e in stage.of(StateChanged) if e.service == "speaker"]
        assert states == ["ready", "degraded", "ready"]


class PulledOut(FakeLoudspeaker):
    """Its plug is out until somebody puts it in again."""

    plugged = False

    async def mend(self) -> None:
        if not self.plugged:
            raise DeviceError("loudspeaker-missing", "No loudspeaker can be opened.", "Plug it in.")

    async def play(self, pcm: Any, rate_hz: int, started: Any) -> Any:
        if not self.plugged:
            raise DeviceError("loudspeaker-lost", "The loudspeaker went away while speaking.", "Check its plug and power.")
        return await super().play(pcm, rate_hz, started)


async def test_a_loudspeaker_that_is_away_is_announced_reported_and_waited_for(broker: Any) -> None:
    loudspeaker = PulledOut()
    async with staged(broker, loudspeaker=loudspeaker) as stage:
        await stage.ask("Hello.")
        assert (await stage.until(SpeechEnded))[0].heard_text == ""
        assert {e.state for e in stage.of(StateChanged) if e.service == "speaker"} == {"degraded"}
        loudspeaker.plugged = True
        async with asyncio.timeout(MEND_S + 3):
            while not any(e.state == "ready" for e in stage.of(StateChanged) if e.service == "speaker"):  # noqa: ASYNC110  # grows in listen()
                await asyncio.sleep(0.05)
        await stage.ask("Are you there?")
        assert (await stage.until(SpeechEnded, 2))[1].heard_text == "Are you there?"


async def test_what_was_heard_is_reported_when_the_service_is_ended_in_mid_clause(broker: Any) -> None:
    async with staged(broker, FakeVoice(ms_per_char=60)) as stage:
        await stage.ask("one two three four five six seven.")
        await stage.until(SpeechStarted)
        await asyncio.sleep(0.5)
        speaking = next(task for task in asyncio.all_tasks() if "speak(" in repr(task.get_coro()) or "speak at" in repr(task.get_coro()))
        speaking.cancel()
        ended = (await stage.until(SpeechEnded))[0]
        assert ended.interrupted
        assert ended.heard_text.startswith("one")


async def test_a_dead_guardian_means_one_sentence_then_silence_until_it_is_back(broker: Any) -> None:
    async with staged(broker, FakeVoice(ms_per_char=4)) as stage:
        for _ in range(2):  # each outage has its own sentence
            stage.said.clear()
            await stage.ask("Before.")
            await stage.until(SpeechEnded)
            began = asyncio.get_running_loop().time()
            await stage.guardian.announce(StateChanged(service="guardian", state="gone", code="died"))
            started = await stage.until(SpeechStarted, 2)
            assert started[1].text == WITHOUT_GUARDIAN
            assert 1.9 < asyncio.get_running_loop().time() - began < 2.6
            await stage.ask("Nobody vetted this.")
            refused = (await stage.until(SpeechEnded, 3))[2]
            assert (refused.heard_text, refused.interrupted) == ("", True)
            await asyncio.sleep(2.5)
            assert len(stage.of(SpeechStarted)) == 2
            await stage.guardian.announce(StateChanged(service="guardian", state="ready"))
            await stage.ask("Back again.")
            assert (await stage.until(SpeechEnded, 4))[3].heard_text == "Back again."


async def test_a_guardian_that_is_away_for_a_second_is_not_mentioned(broker: Any) -> None:
    async with staged(broker) as stage:
        await asyncio.sleep(0.3)
        await stage.guardian.announce(StateChanged(service="guardian", state="gone", code="died"))
        await asyncio.sleep(1.0)
        await stage.guardian.announce(StateChanged(service="guardian", state="ready"))
        await asyncio.sleep(1.7)
        assert stage.of(SpeechStarted) == []


async def test_a_lost_bus_is_an_outage_too(broker: Any) -> None:
    async with staged(broker, FakeVoice(ms_per_char=4)) as stage:
        await asyncio.sleep(0.3)
        broker.stop()
        await asyncio.sleep(2.6)
        assert stage.voice.texts() == [WITHOUT_GUARDIAN]
        broker.start()
        await asyncio.sleep(2.0)
        await stage.ask("Together again.")
        async with asyncio.timeout(5):
            while "Together again." not in [e.heard_text for e in stage.of(SpeechEnded)]:  # noqa: ASYNC110  # grows in listen()
                await asyncio.sleep(0.02)


async def test_making_the_sound_never_holds_up_the_loop(broker: Any, caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.4
    async with staged(broker, FakeVoice(takes_s=0.5)) as stage:
        await stage.ask("Good morning.", "How did you sleep?")
        await stage.until(SpeechEnded, 2)
    assert not [record for record in caplog.records if "Executing" in record.getMessage()]
