"""The broker of the tests is a real one: it carries events, and keeps them for a durable account."""

import asyncio
from typing import Never

from device.bus import Bus
from device.events import TranscriptFinal


async def say(bus: Bus[Never, TranscriptFinal]) -> None:
    """Says a transcript."""


async def hear(bus: Bus[TranscriptFinal, Never]) -> str:
    """Hears a transcript."""
    async for event in bus.hear():
        return event.text
    raise AssertionError


def words(text: str) -> TranscriptFinal:
    return TranscriptFinal(text=text, engine="test", speech_start_ns=1, speech_end_ns=2, decided_by="typed")


async def test_broker_keeps_a_final_for_a_durable_account_when_it_was_killed(broker):
    async with Bus(broker.account("recorder", durable=True), hear):
        pass
    async with Bus(broker.account("listener"), say) as bus:
        await bus.say(words("good evening"))
        await asyncio.sleep(1.5)  # the broker writes its store once a second
        broker.stop(9)
        broker.start()
    async with Bus(broker.account("recorder", durable=True), hear) as bus:
        assert await asyncio.wait_for(hear(bus), 5) == "good evening"
