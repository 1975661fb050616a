"""The recorder on a real broker and a real journal; its neighbours are played by the test."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from recorder_world import World, talk, turn_of

from device.errors import BesideError
from device.events import (
    ConsentChanged,
    ConsentRequest,
    Event,
    FaceMood,
    FaceSeen,
    ForgetDone,
    ForgetRequest,
    MemoriesRequest,
    MemoryErased,
    MemoryForgotten,
    MemoryKept,
    MemoryNoted,
    SessionClosed,
    SessionOpened,
    SessionSealed,
    StateChanged,
)
from device.journal import Journal
from services.recorder.changing import _forget_here


@pytest.fixture
def world(broker, tmp_path) -> World:
    return World(broker, tmp_path / "data")


def sealed(event: Event) -> bool:
    return isinstance(event, SessionSealed)


async def test_session_is_logged_and_sealed_when_it_closes(world):
    async with world.neighbours(), world.recorder():
        await world.say(*talk("s1", turn_of("s1", "t1", "i feel *alone* tonight", "That sounds hard. I am here.", "That sounds hard.")))
        seal = await world.until(sealed)
    text = world.shelf.sessions.joinpath(seal.log.rsplit("/", 1)[1]).read_text()
    assert seal.turns == 1
    assert "i feel \\*alone\\* tonight" in text
    assert "interrupted; not heard: I am here." in text
    assert world.rows("SELECT face FROM plans") == [(None,)]


async def test_seal_waits_for_the_last_words_when_they_come_late(world):
    async with world.neighbours(), world.recorder():
        *before, last = turn_of("s1", "t1", "good night", "Good night, Anna.")
        await world.say(SessionOpened(session="s1", who="Anna"), *before, SessionClosed(session="s1", why="goodbye"))
        await asyncio.sleep(0.7)
        assert not any(map(sealed, world.heard))
        await world.say(last)
        seal = await world.until(sealed)
    assert "Good night, Anna." in world.shelf.log("s1", world.rows("SELECT wall_s FROM openings")[0][0]).read_text()
    assert seal.session == "s1"


async def test_moods_live_for_the_conversation_only_when_keeping_was_not_agreed(world):
    async with world.neighbours(), world.recorder():
        await world.say(ConsentRequest(what="camera", given=True, by="Anna"))
        await world.until(lambda e: isinstance(e, ConsentChanged) and e.camera)
        await world.say(SessionOpened(session="s1", who="Anna"))
        await world.say(FaceSeen(moods=(FaceMood(label="sad", share=0.7),), faces=1))
        await world.say(*turn_of("s1", "t1", "hello", "Hello."))
        await asyncio.sleep(0.5)
        assert world.rows("SELECT count(*) FROM moods") == [(1,)]
        assert "sad 70%" in world.shelf.emotions("s1").read_text()
        await world.say(SessionClosed(session="s1", why="goodbye"))
        await world.until(sealed)
        assert world.rows("SELECT count(*) FROM moods") == [(0,)]
        assert not world.shelf.emotions("s1").exists()


async def test_moods_stay_when_the_person_agreed_and_go_when_that_is_withdrawn(world):
    async with world.neighbours(), world.recorder():
        await world.say(ConsentRequest(what="camera", given=True, by="Anna"), ConsentRequest(what="keep-emotions", given=True, by="Anna"))
        await world.until(lambda e: isinstance(e, ConsentChanged) and e.keep_emotions)
        await world.say(SessionOpened(session="s1", who="Anna"), FaceSeen(moods=(FaceMood(label="happy", share=0.9),), faces=1))
        await world.say(*turn_of("s1", "t1", "hello", "Hello."), SessionClosed(session="s1", why="goodbye"))
        seal = await world.until(sealed)
        log = world.shelf.sessions / seal.log.rsplit("/", 1)[1]
        assert "happy 90%" in log.read_text()
        assert world.shelf.emotions("s1").exists()
        await world.say(ConsentRequest(what="keep-emotions", given=False, by="Anna"))
        await world.becomes(lambda: world.rows("SELECT count(*) FROM moods") == [(0,)])
    assert "happy 90%" not in log.read_text()
    assert not world.shelf.emotions("s1").exists()
    assert b"happy" not in world.shelf.journal.read_bytes()


async def test_memories_are_told_again_when_the_thinker_asks(world):
    async with world.neighbours(), world.recorder():
        for number in range(3):
            await world.say(MemoryNoted(session="s1", turn="t1", text=f"i have {number} cats", who="Anna", source="said"))
        await world.until(lambda e: isinstance(e, MemoryKept) and "2 cats" in e.text)
        world.heard.clear()
        await world.say(MemoriesRequest())
        last = await world.until(lambda e: isinstance(e, MemoryKept) and e.left == 0)
        assert [e.left for e in world.heard if isinstance(e, MemoryKept)] == [2, 1, 0]
        assert last.from_session == "s1"


async def test_forgetting_erases_and_proves_when_the_thinker_answers(world):
    async with world.neighbours(), world.recorder():
        await world.say(StateChanged(service="thinker", state="ready"))
        await world.say(*talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Tell me about her.")))
        await world.until(lambda e: sealed(e) and e.session == "s1")
        await world.say(MemoryNoted(session="s1", turn="t1", text="my sister is called zebrawood", who="Anna", source="said"))
        await world.say(*talk("s2", turn_of("s2", "t2", "the garden is lovely", "It is.")))
        await world.until(lambda e: sealed(e) and e.session == "s2")
        request = ForgetRequest(forget_session="s1", by="test")
        await world.say(request)
        gone = await world.until(lambda e: isinstance(e, MemoryForgotten))
        await world.say(MemoryErased(request=gone.request, indexed=0))
        done = await world.until(lambda e: isinstance(e, ForgetDone))
        assert (done.sessions, done.turns, done.memories) == (1, 1, 1)
        assert "found nothing left" in done.sentence
        assert world.rows("SELECT text FROM utterances") == [("the garden is lovely",)]
        await world.say(*turn_of("s1", "t3", "something new", "Yes."))  # what is said afterwards is kept
        await world.becomes(lambda: len(world.rows("SELECT text FROM utterances")) == 2)
    for path in world.shelf.everything():
        assert b"zebrawood" not in path.read_bytes(), path


async def test_forgetting_deletes_the_index_when_the_thinker_is_down(world):
    async with world.neighbours(), world.recorder():
        world.shelf.memory_index.mkdir(parents=True)
        (world.shelf.memory_index / "chroma.sqlite3").write_bytes(b"my sister is called zebrawood")
        await world.say(*talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Tell me.")))
        await world.until(sealed)
        await world.say(ForgetRequest(forget_session="", by="test"))
        done = await world.until(lambda e: isinstance(e, ForgetDone))
        assert "was not running" in done.sentence
        assert not world.shelf.memory_index.exists()
        assert "found nothing left" in done.sentence


async def test_forgetting_names_the_file_when_something_is_left(world):
    async with world.neighbours(), world.recorder():
        await world.say(*talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Tell me.")))
        await world.until(sealed)
        (world.data / "notes.bin").write_bytes(b"... my sister is called zebrawood ...")
        (world.data / "guardian").mkdir()
        (world.data / "guardian" / "alarms.sqlite").write_bytes(b"... my sister is called zebrawood ...")
        (world.config.paths.run / "broker.log.old").write_bytes(b"... my sister is called zebrawood ...")
        await world.say(ForgetRequest(forget_session="s1", by="test"))
        done = await world.until(lambda e: isinstance(e, ForgetDone))
        assert "still stands in: notes.bin, the bus's broker.log.old." in done.sentence
        assert "alarms.sqlite) still holds its words" in done.sentence


async def test_forgetting_waits_a_little_for_guardian_to_erase_its_own(world):
    async with world.neighbours(), world.recorder():
        await world.say(*talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Tell me.")))
        await world.until(sealed)
        (world.data / "guardian").mkdir()
        (world.data / "guardian" / "alarms.sqlite").write_bytes(b"... my sister is called zebrawood ...")
        await world.say(ForgetRequest(forget_session="s1", by="test"))
        gone = await world.until(lambda e: isinstance(e, MemoryForgotten))
        assert (gone.forget_session, gone.turns, gone.everything) == ("s1", ("t1",), False)
        (world.data / "guardian" / "alarms.sqlite").write_bytes(b"... ...")
        done = await world.until(lambda e: isinstance(e, ForgetDone))
        assert "found nothing left" in done.sentence


async def test_forgetting_is_told_to_guardian_when_the_house_was_down(world):
    async with world.neighbours():
        async with world.recorder():
            await world.say(*talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Tell me.")))
            await world.until(sealed)
        (world.data / "guardian").mkdir()
        (world.data / "guardian" / "alarms.sqlite").write_bytes(b"... my sister is called zebrawood ...")
        said = _forget_here(world.shelf, ForgetRequest(forget_session="s1", by="test"))["sentence"]
        assert "guardian erases them when it runs again" in said
        async with world.recorder():
            gone = await world.until(lambda e: isinstance(e, MemoryForgotten))
            assert (gone.forget_session, gone.turns) == ("s1", ("t1",))
            await world.until(lambda e: isinstance(e, ForgetDone))
    assert world.rows("SELECT count(*) FROM forgets WHERE sentence = ''") == [(0,)]


async def test_forgetting_names_what_the_recorder_may_not_read(world, monkeypatch):
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.parent.name == "guardian":
            raise PermissionError(13, "closed to us", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)  # the tests may run as root, to whom nothing is closed
    async with world.neighbours(), world.recorder():
        await world.say(*talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Tell me.")))
        await world.until(sealed)
        (world.data / "guardian").mkdir()
        (world.data / "guardian" / "alarms.sqlite").write_bytes(b"... my sister is called zebrawood ...")
        await world.say(ForgetRequest(forget_session="s1", by="test"))
        done = await world.until(lambda e: isinstance(e, ForgetDone))
        assert "every file" not in done.sentence
        assert "could not look into guardian/alarms.sqlite" in done.sentence


async def test_forgotten_rows_stay_away_when_the_broker_delivers_them_again(world):
    events = talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Tell me."))
    async with world.neighbours(), world.recorder():
        await world.say(*events)
        await world.until(sealed)
        await world.say(ForgetRequest(forget_session="s1", by="test"))
        await world.until(lambda e: isinstance(e, ForgetDone))
        await world.say(*events)
        await world.say(MemoryNoted(text="a mark", who="", source="said"))
        await world.until(lambda e: isinstance(e, MemoryKept))
        assert world.rows("SELECT count(*) FROM utterances") == [(0,)]
        assert world.rows("SELECT count(*) FROM plans") == [(0,)]


async def test_closed_session_is_sealed_when_the_recorder_is_told_to_stop(world):
    async with world.neighbours(), world.recorder() as task:
        *before, _ = turn_of("s1", "t1", "good night", "Good night.")
        await world.say(SessionOpened(session="s1", who="Anna"), *before)
        await asyncio.sleep(0.3)
        task.cancel()
        await world.say(SessionClosed(session="s1", why="shutdown"))
        await world.until(sealed)


async def test_session_of_an_earlier_boot_is_sealed_when_the_recorder_starts(world):
    async with world.neighbours():
        async with world.recorder():
            await world.say(SessionOpened(session="s1", who="Anna", boot="before"))
            await world.say(*(e.model_copy(update={"boot": "before"}) for e in turn_of("s1", "t1", "hello", "Hello.")))
            await asyncio.sleep(0.5)
        async with world.recorder():
            assert (await world.until(sealed)).session == "s1"


async def test_recorder_waits_and_says_so_when_the_journal_is_held_and_goes_on_when_it_is_free(world):
    other = Journal(world.shelf.journal)
    other.open()
    async with world.neighbours(), world.recorder():
        await world.until(lambda e: isinstance(e, StateChanged) and e.state == "degraded" and e.code == "journal-in-use")
        await world.say(*turn_of("s1", "t1", "hello", "Hello."))
        other.close()
        await world.until(lambda e: isinstance(e, StateChanged) and e.service == "recorder" and e.state == "ready")
        await world.becomes(lambda: world.rows("SELECT count(*) FROM utterances") == [(1,)])


async def test_recorder_refuses_to_start_when_the_journal_is_newer(world):
    world.shelf.own.mkdir(parents=True)
    db = sqlite3.connect(world.shelf.journal)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = world.shelf.journal.read_bytes()
    async with world.recorder() as task:
        with pytest.raises(BesideError, match="newer Beside"):
            await asyncio.wait_for(task, 5)
        world.shelf.journal.write_bytes(before)


async def test_log_is_written_anew_when_a_row_comes_after_the_seal(world):
    async with world.neighbours(), world.recorder():
        await world.say(*talk("s1", turn_of("s1", "t1", "hello", "Hello.")))
        first = await world.until(sealed)
        await world.say(*turn_of("s1", "t2", "one more thing", "Yes?"))
        again = await world.until(lambda e: sealed(e) and e is not first)
    assert again.turns == 2
    assert "one more thing" in (world.shelf.sessions / again.log.rsplit("/", 1)[1]).read_text()


async def test_open_session_is_sealed_when_a_new_one_opens(world):
    async with world.neighbours(), world.recorder():
        await world.say(SessionOpened(session="s1", who="Anna"), *turn_of("s1", "t1", "hello", "Hello."))
        await world.say(SessionOpened(session="s2", who="Anna"))
        assert (await world.until(sealed)).session == "s1"


async def test_old_conversation_is_let_go_when_its_days_are_over(world):
    async with world.neighbours():
        async with world.recorder():
            await world.say(*talk("s1", turn_of("s1", "t1", "my sister is called zebrawood", "Yes?")))
            await world.until(sealed)
            await world.say(MemoryNoted(session="s1", turn="t1", text="i like tea", who="Anna", source="said"))
            await world.until(lambda e: isinstance(e, MemoryKept))
        journal = Journal(world.shelf.journal)
        journal.write(lambda db: db.execute("UPDATE seals SET wall_s = wall_s - 31 * 86400"))
        journal.close()
        async with world.recorder():
            await world.becomes(lambda: world.rows("SELECT count(*) FROM utterances") == [(0,)])
    assert list(world.shelf.sessions.iterdir()) == []
    assert b"zebrawood" not in world.shelf.journal.read_bytes()
    assert world.rows("SELECT text FROM memories") == [("i like tea",)]


async def test_recorder_begins_anew_and_stays_degraded_when_the_journal_is_damaged(world):
    async with world.neighbours():
        async with world.recorder():
            await world.say(*talk("s1", turn_of("s1", "t1", "hello", "Hello.")))
            await world.until(sealed)
        world.shelf.journal.write_bytes(b"this is no database, it is something else entirely, and long enough to be looked at")
        async with world.recorder():
            state = await world.until(lambda e: isinstance(e, StateChanged) and e.state == "degraded")
            assert state.code == "journal-damaged"
            assert "journal-damaged-" in state.sentence
            await world.say(*turn_of("s2", "t2", "hello again", "Hello."))
            await world.becomes(lambda: world.rows("SELECT text FROM utterances") == [("hello again",)])
    assert world.rows("SELECT what FROM audit")[0] == ("journal-damaged",)
