"""The keyboard on a real broker: one line in, one line out, everything shown counts as heard."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from device.bus import Bus
from device.config import Config
from device.events import SpeechEnded, SpeechRequest, SpeechStarted, StateChanged, TranscriptFinal, VoiceStarted
from device.lifecycle import Life
from services.keyboard import service
from services.keyboard.service import NEEDED, SILENCE, type_and_read
from services.keyboard.terminal import PersonTerminal, PipeTerminal


async def rest_of_the_house(
    bus: Bus[TranscriptFinal | SpeechEnded | VoiceStarted | SpeechStarted, SpeechRequest | StateChanged],
    answer: Any,
    ended: list[SpeechEnded],
) -> None:
    for name in sorted(NEEDED):
        await bus.say(StateChanged(service=name, state="ready"))
    async for event in bus.hear():
        match event:
            case TranscriptFinal():
                for index, (text, last) in enumerate(answer(event.text)):
                    await bus.say(SpeechRequest(turn=event.turn, index=index, text=text, by="companion", last=last))
            case SpeechEnded():
                ended.append(event)


@asynccontextmanager
async def house(broker: Any, answer: Callable[[str], list[tuple[str, bool]]]) -> AsyncIterator[list[SpeechEnded]]:
    ended: list[SpeechEnded] = []
    async with Bus(broker.account("test"), rest_of_the_house) as bus:
        task = asyncio.create_task(rest_of_the_house(bus, answer, ended))
        yield ended
        task.cancel()


async def type_lines(broker: Any, terminal_class: Any, lines: str) -> str:
    """Run the keyboard over a pipe whose writer is closed, and return what it printed."""
    reading, writing = os.pipe()
    os.write(writing, lines.encode())
    os.close(writing)
    out = io.StringIO()
    with os.fdopen(reading, encoding="utf-8") as source:
        async with Bus(broker.account("keyboard"), type_and_read) as bus:
            await asyncio.wait_for(type_and_read(bus, terminal_class(source, out), Life("keyboard", Config())), 20)
        await asyncio.sleep(0.1)
    return out.getvalue()


async def test_each_line_gets_exactly_one_line(broker: Any) -> None:
    async with house(broker, lambda text: [(f"You said {text}.", False), ("Tell\nme more.", True)]) as ended:
        printed = await type_lines(broker, PipeTerminal, "hello\n\n  i am   here \n")
    assert printed == "You said hello. Tell me more.\nYou said i am here. Tell me more.\n"
    assert [end.heard_text for end in ended] == ["You said hello.", "Tell\nme more.", "You said i am here.", "Tell\nme more."]
    assert not any(end.interrupted for end in ended)


async def test_silence_is_told_when_no_answer_comes(broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "REPLY_S", 0.2)
    async with house(broker, lambda text: []):
        assert await type_lines(broker, PipeTerminal, "hello\n") == f"{SILENCE}\n"


async def test_silence_is_told_when_nothing_of_the_answer_was_released(broker: Any) -> None:
    async with house(broker, lambda text: [("", True)]):
        assert await type_lines(broker, PipeTerminal, "hello\n") == f"{SILENCE}\n"


async def test_end_of_input_without_a_word_ends_cleanly(broker: Any) -> None:
    async with house(broker, lambda text: []):
        assert await type_lines(broker, PipeTerminal, "") == ""


async def test_person_sees_a_prompt_and_the_reply_clause_by_clause(broker: Any) -> None:
    async with house(broker, lambda text: [("That is hard.", False), ("Tell me more.", True)]):
        printed = await type_lines(broker, PersonTerminal, "i slept badly\n")
    assert "Ctrl-D" in printed
    assert "you     Beside  That is hard. Tell me more.\n" in printed
    assert printed.endswith("Goodbye.\n")


async def test_not_ready_is_a_sentence_that_names_who_is_missing(broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "READY_S", 0.2)
    with pytest.raises(service.EngineError, match="thinker"):
        await type_lines(broker, PipeTerminal, "hello\n")


async def test_line_that_is_too_long_is_cut_aloud(broker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []

    def answer(text: str) -> list[tuple[str, bool]]:
        heard.append(text)
        return [("Yes.", True)]

    async with house(broker, answer):
        assert await type_lines(broker, PipeTerminal, "x" * 2001 + "\n" + "y" * 2000 + "\n") == "Yes.\nYes.\n"
    assert heard == ["x" * 2000, "y" * 2000]
    assert capsys.readouterr().err.count("2,001 characters") == 1
