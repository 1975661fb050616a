"""The bus on a real Mosquitto: what arrives, what is told again, what a stranger may not do."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Never

import aiomqtt
import pytest

from device.bus import Bus, hears_and_says
from device.errors import BusError
from device.events import SessionOpened, StateChanged, TranscriptFinal, TranscriptPartial, VoiceStarted, all_events


async def hear_it(bus: Bus[TranscriptFinal | TranscriptPartial, Never]) -> None: ...


async def say_it(bus: Bus[Never, TranscriptFinal | TranscriptPartial | VoiceStarted]) -> None: ...


async def states(bus: Bus[StateChanged, Never]) -> None: ...


def final(text: str) -> TranscriptFinal:
    return TranscriptFinal(text=text, engine="test", speech_start_ns=1, speech_end_ns=2, decided_by="typed")


async def first(bus: Bus[Any, Any], count: int = 1, within_s: float = 5.0) -> list[Any]:
    heard: list[Any] = []
    async with asyncio.timeout(within_s):
        async for event in bus.hear():
            heard.append(event)
            if len(heard) == count:
                break
    return heard


def test_the_signature_names_what_is_heard_and_said() -> None:
    hears, says = hears_and_says(hear_it)
    assert set(hears) == {TranscriptFinal, TranscriptPartial}
    assert says == ()


async def test_an_event_arrives_as_it_was_said(broker: Any) -> None:
    async with Bus(broker.account("guardian"), hear_it) as ears, Bus(broker.account("listener"), say_it) as mouth:
        said = final("i miss my garden")
        await mouth.say(said)
        assert await first(ears) == [said]


async def test_what_is_not_in_the_signature_cannot_be_said(broker: Any) -> None:
    async with Bus(broker.account("listener"), say_it) as mouth:
        with pytest.raises(TypeError, match="may not say"):
            await mouth.say(SessionOpened(who="Ann"))


async def test_what_must_arrive_survives_the_brokers_death(broker: Any) -> None:
    async with Bus(broker.account("recorder", durable=True), hear_it) as ears, Bus(broker.account("listener"), say_it) as mouth:
        broker.stop(signal.SIGKILL)
        await asyncio.sleep(0.1)
        told = [final(f"line {i}") for i in range(50)]
        saying = [asyncio.create_task(mouth.say(event)) for event in told]
        await asyncio.sleep(0.3)
        broker.start()
        heard = await first(ears, 50, within_s=15)
        await asyncio.gather(*saying)
        assert [event.text for event in heard] == [event.text for event in told]


async def test_what_may_be_lost_is_counted_when_the_broker_is_away(broker: Any) -> None:
    async with Bus(broker.account("listener"), say_it) as mouth:
        broker.stop(signal.SIGKILL)
        await asyncio.sleep(0.2)
        await mouth.say(TranscriptPartial(text="hello", quiet_ms=0))
        assert mouth.counters.dropped_unsent == 1
        broker.start()


async def test_an_unacknowledged_event_comes_again_after_a_crash(broker: Any) -> None:
    account = broker.account("recorder", durable=True)
    async with Bus(broker.account("listener"), say_it) as mouth:
        async with Bus(account, hear_it) as ears:
            await mouth.say(final("keep this"))
            stream = ears.hear()
            event = await asyncio.wait_for(anext(stream), 5)  # taken, not acknowledged: the next one was never asked for
            await stream.aclose()
        async with Bus(account, hear_it) as again:
            assert await first(again) == [event]


async def test_rubbish_is_counted_and_harms_nobody(broker: Any) -> None:
    account = broker.account("test")
    async with Bus(broker.account("guardian"), hear_it) as ears:
        stranger = aiomqtt.Client(
            hostname=str(account.socket), transport="unix", username=account.name, password=account.password, identifier=account.name
        )
        async with stranger:
            good = final("a").model_dump_json()
            for payload in (b"", b"\xff\xfe", b"{", b"[1]", b'{"v":2}', b"x" * 65_000, b'{"a":' * 5000, good[:-1].encode()):
                await stranger.publish("beside/transcript/final", payload, qos=1)
            await stranger.publish("beside/transcript/final", good, qos=1)
        assert [event.text for event in await first(ears)] == ["a"]
        assert ears.counters.dropped_unreadable >= 7


async def test_a_wrong_password_is_said_at_once(broker: Any) -> None:
    account = broker.account("listener")
    with pytest.raises(BusError, match="does not know the account"):
        async with Bus(type(account)("listener", "wrong", account.socket), say_it):
            pytest.fail("let in with a wrong password")


async def test_a_killed_service_is_gone_and_a_stopped_one_says_so(broker: Any) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from typing import Never\n"
        "from device.bus import Account, Bus; from device.events import StateChanged, VoiceStarted\n"
        "async def s(bus: Bus[Never, VoiceStarted]) -> None: ...\n"
        "async def main():\n"
        "    async with Bus(Account('speaker', sys.argv[1], Path(sys.argv[2])), s) as bus:\n"
        "        await bus.announce(StateChanged(service='speaker', state='ready')); await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    account = broker.account("speaker")
    async with Bus(broker.account("tap"), states) as watcher:
        process = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", code, account.password, str(account.socket)])
        assert (await first(watcher))[0].state == "ready"
        process.kill()
        gone = (await first(watcher))[0]
        assert (gone.service, gone.state, gone.code) == ("speaker", "gone", "died")
        await asyncio.to_thread(process.wait)
        async with Bus(broker.account("speaker"), say_it) as bus:
            await bus.announce(StateChanged(service="speaker", state="ready"))
            assert (await first(watcher))[0].state == "ready"
        assert (await first(watcher))[0].code == "stopped"


async def test_the_access_list_keeps_everybody_in_their_room(make_broker: Callable[..., Any]) -> None:
    acl = "user listener\ntopic write beside/transcript/final\n\nuser guardian\ntopic read beside/transcript/final\n\nuser watcher\n"
    broker = make_broker(acl=acl)
    async with (
        Bus(broker.account("guardian"), hear_it) as ears,
        Bus(broker.account("watcher"), say_it) as rogue,
        Bus(broker.account("companion"), hear_it) as spy,
        Bus(broker.account("listener"), say_it) as mouth,
    ):
        await rogue.say(final("from the rogue"))
        await mouth.say(final("from the listener"))
        assert [event.text for event in await first(ears)] == ["from the listener"]
        with pytest.raises(TimeoutError):
            await first(spy, within_s=0.5)


def test_every_event_has_one_topic_and_a_sentence() -> None:
    topics = [kind.topic for kind in all_events()]
    assert len(set(topics)) == len(topics) <= 35
    assert all(kind.__doc__ for kind in all_events())
