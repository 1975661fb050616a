"""Events become rows: twice, in any order, and with fields that no column knows yet."""

import contextlib
import sqlite3
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.events import (
    AlarmRaised,
    ConsentRequest,
    Event,
    FaceMood,
    FaceSeen,
    ForgetRequest,
    MemoryNoted,
    ReplyEnded,
    SessionClosed,
    SessionOpened,
    SpeechEnded,
    SpeechRefused,
    TranscriptFinal,
    TranscriptJudged,
    TurnPlanned,
)
from device.migrations import MIGRATIONS
from services.recorder import rows
from services.recorder.talk import read_talk

SHARED = {"session": "s1", "turn": "t1", "boot": "b"}
EVENTS: tuple[Event, ...] = (
    SessionOpened(**SHARED, who="Anna", at_ns=1, wall_s=1.0),
    TranscriptFinal(
        turn="t1", boot="b", text="hello", alternatives=("hullo",), engine="e", speech_start_ns=1, speech_end_ns=2, decided_by="silence",
        at_ns=2, wall_s=2.0,
    ),
    TranscriptJudged(turn="t1", boot="b", level="T2", rules=("r@1",), at_ns=3, wall_s=3.0),
    AlarmRaised(turn="t1", boot="b", alarm="a1", level="T1", kind="help", rules=("r@1",), words="help me", at_ns=4, wall_s=4.0),
    TurnPlanned(
        **SHARED, user_text="hello", feeling="sad", feeling_share=0.5, intent="consoling", why="near", face="sad", at_ns=5, wall_s=5.0,
    ),
    ReplyEnded(
        **SHARED, draft=1, why="complete", clauses=1, first_token_ms=9.0, tokens=5, tokens_per_s=50.0, model="m", at_ns=6, wall_s=6.0,
    ),
    SpeechRefused(**SHARED, index=0, text="no", rule="r", replaced_by="", at_ns=7, wall_s=7.0),
    SpeechEnded(
        **SHARED, index=1, text="Hello there.", heard_text="Hello", heard_ms=400, interrupted=True, last=True, engine="flite",
        at_ns=8, wall_s=8.0,
    ),
    FaceSeen(session="s1", boot="b", moods=(FaceMood(label="sad", share=0.6),), faces=1, at_ns=9, wall_s=9.0),
    MemoryNoted(**SHARED, text="i like tea", who="Anna", source="said", at_ns=10, wall_s=10.0),
    SessionClosed(**SHARED, why="goodbye", at_ns=11, wall_s=11.0),
    ConsentRequest(what="camera", given=True, by="Anna", at_ns=12, wall_s=12.0),
    ForgetRequest(forget_session="s9", by="Anna", at_ns=13, wall_s=13.0),
)  # fmt: skip


def fresh() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    for statements in MIGRATIONS:
        for statement in statements:
            db.execute(statement)
    return db


def everything(db: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table: db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in rows.TABLES.values()}  # noqa: S608 - our own names


def test_every_field_of_every_event_has_a_column():
    assert {type(event) for event in EVENTS} == set(rows.TABLES)
    with contextlib.closing(fresh()) as db:
        for event in EVENTS:
            rows.insert(db, event)
        for table, kept in everything(db).items():
            assert len(kept) == 1, table
            more = [column[1] for column in db.execute("SELECT * FROM pragma_table_info(?)", (table,))].index("more")
            assert kept[0][more] is None, f"{table} needs a migration: the event has grown"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(EVENTS), st.lists(st.sampled_from(EVENTS), max_size=20))
def test_rows_are_the_same_when_events_come_in_any_order_and_twice(order, again):
    with contextlib.closing(fresh()) as db, contextlib.closing(fresh()) as plain:
        for event in EVENTS:
            assert rows.insert(plain, event) == "new"
        for event in [*order, *again]:
            rows.insert(db, event)
        assert everything(db) == everything(plain)
        assert read_talk(db, "s1") == read_talk(plain, "s1")


class GrownClosed(SessionClosed):
    mood_of_the_day: str = "fine"


def test_event_that_has_grown_is_kept_whole(monkeypatch):
    monkeypatch.setitem(rows.TABLES, GrownClosed, "closings")
    with contextlib.closing(fresh()) as db:
        assert rows.insert(db, GrownClosed(session="s1", why="quiet")) == "new"
        assert db.execute("SELECT why, more FROM closings").fetchone() == ("quiet", '{"mood_of_the_day": "fine"}')


def test_talk_joins_what_belongs_together():
    with contextlib.closing(fresh()) as db:
        for event in EVENTS:
            rows.insert(db, event)
        talk = read_talk(db, "s1")
        assert talk is not None
        (turn,) = talk.turns
        assert (turn.text, turn.heard_text, turn.interrupted, turn.level, turn.refused) == ("hello", "Hello", True, "T2", 1)
        assert turn.engines == ("e", "m", "flite")
        assert [alarm.words for alarm in talk.alarms] == ["help me"]
        assert read_talk(db, "nobody") is None


def test_utterance_that_nobody_planned_belongs_to_the_session_of_its_time():
    def stray(turn: str, at_s: int) -> TranscriptFinal:
        at_ns = at_s * 1_000_000_000
        return TranscriptFinal(
            turn=turn, boot="b", text=turn, engine="e", speech_start_ns=1, speech_end_ns=2, decided_by="silence", at_ns=at_ns
        )

    with contextlib.closing(fresh()) as db:
        rows.insert(db, SessionOpened(session="s1", boot="b", at_ns=1000 * 10**9, who=""))
        rows.insert(db, SessionClosed(session="s1", boot="b", at_ns=2000 * 10**9, why="quiet"))
        for event in (stray("long before", 100), stray("first words", 990), stray("in it", 1500), stray("after", 2500)):
            rows.insert(db, event)
        talk = read_talk(db, "s1")
        assert talk is not None
        assert {turn.text for turn in talk.turns} == {"first words", "in it"}


def test_audit_chain_breaks_when_a_row_is_changed_or_taken_out():
    for meddle in ("UPDATE audit SET by = 'nobody' WHERE number = 2", "DELETE FROM audit WHERE number = 2"):
        with contextlib.closing(fresh()) as db:
            for number in range(4):
                rows.audit(db, "consent", "Anna", str(number), "b", float(number))
            assert rows.broken_audit_link(db) is None
            db.execute(meddle)
            assert rows.broken_audit_link(db) in (2, 3)


def test_consent_in_force_is_the_last_one_given():
    with contextlib.closing(fresh()) as db:
        assert rows.consents(db) == (False, False)
        for given_, wall_s in ((True, 50.0), (False, 10.0)):  # the wall clock went back in between
            rows.insert(db, ConsentRequest(what="camera", given=given_, by="Anna", wall_s=wall_s))
        assert rows.consents(db) == (False, False)


def test_erased_session_files_are_found_by_name(tmp_path: Path):
    from services.recorder.shelf import Shelf, safe

    shelf = Shelf(tmp_path)
    for session in ("a1", "a12", "../../etc"):
        shelf.sessions.mkdir(parents=True, exist_ok=True)
        shelf.log(session, 0.0).write_text("x")
        shelf.emotions(session).write_text("x")
    assert sorted(p.name for p in shelf.of_session("a1")) == sorted(["a1-emotions.txt", shelf.log("a1", 0.0).name])
    assert len(shelf.of_session("../../etc")) == 2
    assert "/" not in safe("../../etc")


def test_everything_that_stands_in_the_record_must_arrive_but_the_moods_of_a_face() -> None:
    assert {kind.topic for kind in rows.TABLES if not kind.must_arrive} == {"face.seen"}
