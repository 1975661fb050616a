"""The recorder as a real process, killed with SIGKILL in mid-talk again and again: not one row may be missing."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from device.bus import Bus
from device.events import MemoryKept, MemoryNoted, SessionOpened, SpeechEnded, TranscriptFinal, TurnPlanned
from device.journal_reading import open_reader

KILLS = 20
TURNS = 240
ROOT = Path(__file__).resolve().parents[2]


async def everyone(bus: Bus[MemoryKept, SessionOpened | TranscriptFinal | TurnPlanned | SpeechEnded | MemoryNoted]) -> None:
    """All neighbours of the recorder, in one."""


def start(config: Path, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as out:
        command = [sys.executable, "-m", "services.recorder", "--config", str(config)]
        return subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT)


async def talk(bus, pace_s: float) -> set[str]:
    """Many turns; the ids of everything that must be found afterwards."""
    said = set()
    opened = SessionOpened(session="s1", who="Anna")
    await bus.say(opened)
    for number in range(TURNS):
        turn = f"t{number:04}"
        for event in (
            TranscriptFinal(turn=turn, text=f"words {number}", engine="e", speech_start_ns=1, speech_end_ns=2, decided_by="silence"),
            TurnPlanned(session="s1", turn=turn, user_text="w", feeling="sad", feeling_share=0.5, intent="consoling", why="near"),
            SpeechEnded(
                session="s1", turn=turn, index=0, text="Yes.", heard_text="Yes.", heard_ms=300, interrupted=False, last=True, engine="flite"
            ),
        ):
            await bus.say(event)
            said.add(event.id)
        await asyncio.sleep(pace_s)
    return said


def kept(journal: Path) -> set[str]:
    with contextlib.closing(open_reader(journal)) as db:
        query = "SELECT event FROM utterances UNION ALL SELECT event FROM plans UNION ALL SELECT event FROM speech"
        return {event for (event,) in db.execute(query)}


async def test_no_row_is_lost_when_the_recorder_is_killed_in_mid_talk(broker, tmp_path):
    config = tmp_path / "config.yaml"
    data = tmp_path / "data"
    config.write_text(f"paths:\n  data: {data}\n  run: {broker.run}\n")
    dice = random.Random(7)
    process = start(config, tmp_path / "recorder.log")
    try:
        async with Bus(broker.account("test"), everyone) as bus:
            await first_memory(bus)  # it is up, and known to the broker as durable
            talking = asyncio.create_task(talk(bus, 0.12))
            for _ in range(KILLS):
                await asyncio.sleep(dice.uniform(0.5, 1.6))
                process.send_signal(signal.SIGKILL)
                await asyncio.to_thread(process.wait)
                process = start(config, tmp_path / "recorder.log")
            said = await talking
            deadline = time.monotonic() + 20
            while said - kept(data / "recorder" / "journal.sqlite") and time.monotonic() < deadline:  # noqa: ASYNC110 - another process's file
                await asyncio.sleep(0.2)
        lost = said - kept(data / "recorder" / "journal.sqlite")
        assert len(said) == 3 * TURNS
        assert len(lost) == 0
        assert "Traceback" not in (tmp_path / "recorder.log").read_text()
    finally:
        process.kill()
        process.wait()
    if os.environ.get("BESIDE_FIGURES"):
        print(f"\n{KILLS} kills, {len(said)} events, {len(lost)} rows lost")


async def first_memory(bus) -> None:
    """Until the recorder answers."""
    hearing = bus.hear()
    for _ in range(100):
        await bus.say(MemoryNoted(session="s0", text="a mark", who="", source="said"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(anext(hearing), 0.5)
            return
        hearing = bus.hear()
    raise AssertionError("the recorder never answered")
