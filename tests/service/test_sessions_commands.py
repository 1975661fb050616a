"""`beside sessions` and `beside consent` as the user's terminal runs them: with the house up, and with it down."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from recorder_world import World, talk, turn_of

from device.events import MemoryNoted, SessionSealed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def world(broker, tmp_path) -> World:
    return World(broker, tmp_path / "data")


@pytest.fixture
def beside(world, tmp_path):
    """Run one command; returns exit code, output and error."""
    config = tmp_path / "config.yaml"
    config.write_text(f"paths:\n  data: {world.data}\n  run: {world.broker.run}\n")

    def run(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "services.recorder", *words, "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=90, check=False, stdin=subprocess.DEVNULL)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


async def two_talks(world) -> None:
    await world.say(*talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Tell me about her.")))
    await world.until(lambda e: isinstance(e, SessionSealed) and e.session == "s1")
    await world.say(MemoryNoted(session="s1", turn="t1", text="my sister is called zebrawood", who="Anna", source="said"))
    await world.say(*talk("s2", turn_of("s2", "t2", "the garden is lovely", "It is.")))
    await world.until(lambda e: isinstance(e, SessionSealed) and e.session == "s2")


async def test_sessions_are_listed_shown_exported_and_forgotten_while_the_house_is_up(world, beside, tmp_path):
    async with world.neighbours(), world.recorder():
        await two_talks(world)

        def ask(*words):
            return asyncio.to_thread(beside, *words)

        code, out, _ = await ask("sessions", "list", "--json")
        assert code == 0
        assert [(s["session"], s["turns"], s["who"]) for s in json.loads(out)] == [("s1", 1, "Anna"), ("s2", 1, "Anna")]
        code, out, _ = await ask("sessions", "show", "s1")
        assert "my sister is called zebrawood" in out
        code, out, _ = await ask("sessions", "show", "last", "--json")
        assert json.loads(out)["turns"][0]["heard_text"] == "It is."
        code, out, _ = await ask("sessions", "export", "--all", "--out", str(tmp_path / "stick"))
        assert len(out.split()) == len(list((tmp_path / "stick").iterdir())) == 4
        assert (await ask("sessions", "export", "s1"))[0] == 0
        assert list(world.shelf.exports.iterdir())
        code, out, err = await ask("sessions", "forget", "s1")
        assert code == 65
        assert "--yes" in err
        code, out, _ = await ask("sessions", "forget", "s1", "--yes")
        assert code == 0
        assert "The conversation is forgotten (1 conversation, 1 turn, 1 memory)." in out
        assert "found nothing left" in out
        assert list(world.shelf.exports.iterdir()) == []
        code, out, _ = await ask("consent", "camera", "yes", "--by", "Anna", "--json")
        assert (code, json.loads(out)) == (0, {"camera": True, "keep_emotions": False})
        code, out, _ = await ask("consent")
        assert out == "camera: yes\nkeep-emotions: no\n"


async def test_forgetting_and_consent_work_when_the_house_is_down(world, beside):
    async with world.neighbours(), world.recorder():
        await two_talks(world)
    world.broker.stop()
    world.shelf.memory_index.mkdir(parents=True)
    (world.shelf.memory_index / "vectors.bin").write_bytes(b"my sister is called zebrawood")
    code, out, _ = beside("consent", "keep-emotions", "yes")
    assert (code, out) == (0, "camera: no\nkeep-emotions: yes\n")
    code, out, _ = beside("sessions", "forget", "--all", "--yes", "--json")
    assert code == 0
    done = json.loads(out)
    assert (done["sessions"], done["turns"], done["memories"]) == (2, 2, 1)
    assert "found nothing left" in done["sentence"]
    for path in world.shelf.everything():
        assert b"zebrawood" not in path.read_bytes(), path
        assert b"garden" not in path.read_bytes(), path
    assert beside("sessions", "list")[1] == "There are no conversations yet.\n"


def test_commands_say_what_is_wrong_when_there_is_nothing(world, beside):
    code, out, err = beside("sessions", "list", "--json")
    assert code == 73
    assert json.loads(out)["error"] == "journal-missing"
    assert "Talk with Beside first" in err
    assert beside("consent")[1] == "camera: no\nkeep-emotions: no\n"
    assert beside("sessions", "export")[0] == 2
    for words in (("sessions",), ("consent",), ("sessions", "forget")):
        code, out, _ = beside(*words, "--help")
        assert code == 0
        assert "usage: beside" in out


def test_unknown_and_unclear_ids_are_explained(world, beside):
    from device.events import SessionOpened
    from device.journal import Journal
    from services.recorder import rows

    journal = Journal(world.shelf.journal)
    for session in ("abc1", "abc2"):
        journal.write(lambda db, s=session: rows.insert(db, SessionOpened(session=s, who="")))
    journal.close()
    assert "There is no conversation 'xyz'" in beside("sessions", "show", "xyz")[2]
    assert "2 conversations begin with 'abc'" in beside("sessions", "show", "abc")[2]
    assert beside("sessions", "show", "abc1")[0] == 0
