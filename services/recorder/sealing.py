"""The seal of a session: the log is written, then what consent does not keep is erased. Blocking; run it in the journal's thread."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from device.clock import boot_id, wall_s
from device.events import FaceSeen
from device.journal import Journal
from services.recorder import rows
from services.recorder.keeping import WallClock, expired, look
from services.recorder.log import emotions_line, page
from services.recorder.shelf import Shelf, write_whole
from services.recorder.talk import Mood, openings, read_talk, turn_ids


@dataclass(frozen=True, slots=True)
class Seal:
    session: str
    log: Path
    turns: int


def seal(journal: Journal, shelf: Shelf, session: str) -> Seal | None:
    """Write the log, erase moods without consent, note the seal; None when nothing is left of the session. May be repeated."""
    made, erased = journal.write(lambda db: _seal(db, shelf, session))
    if erased:
        journal.truncate_wal()  # the labels must leave the WAL too
    return made


def _seal(db: sqlite3.Connection, shelf: Shelf, session: str) -> tuple[Seal | None, bool]:
    talk = read_talk(db, session)
    if talk is None:
        return None, False
    _, keep = rows.consents(db)
    path = shelf.log(session, talk.opened_wall_s)
    write_whole(path, page(talk, with_moods=keep))
    erased = False if keep else erase_moods(db, shelf, session)
    now_s = wall_s()
    first = db.execute("SELECT 1 FROM seals WHERE session = ?", (session,)).fetchone() is None
    db.execute(
        "INSERT INTO seals VALUES (?, ?, ?, ?) ON CONFLICT (session) DO UPDATE SET log = excluded.log, turns = excluded.turns",
        (session, now_s, str(path), talk.utterances),
    )
    if first:
        rows.audit(db, "session-sealed", "recorder", session, boot_id(), now_s)
    return Seal(session, path, talk.utterances), erased


def erase_moods(db: sqlite3.Connection, shelf: Shelf, session: str) -> bool:
    """Erase the labels of the face, in rows and text log, and the planner's reasons that may name them."""
    gone = db.execute("DELETE FROM moods WHERE session = ?", (session,)).rowcount
    gone += db.execute("UPDATE plans SET face = NULL, why = '' WHERE session = ? AND face IS NOT NULL", (session,)).rowcount
    shelf.emotions(session).unlink(missing_ok=True)
    return gone > 0


def erase_all_moods(journal: Journal, shelf: Shelf) -> None:
    """The consent to keep emotions was withdrawn: every sealed session loses its labels, and its log is written anew."""
    sealed = journal.read(lambda db: [session for (session,) in db.execute("SELECT session FROM seals")])
    for session in sealed:
        seal(journal, shelf, session)


def keep_mood(db: sqlite3.Connection, shelf: Shelf, event: FaceSeen) -> None:
    """A row and a line of the text log, both for as long as the conversation lasts."""
    if rows.insert(db, event) == "new":
        path = shelf.emotions(event.session)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mood = Mood(event.wall_s, tuple((m.label, m.share) for m in event.moods), event.unknown_because)
        with path.open("a", encoding="utf-8") as out:
            out.write(emotions_line(mood) + "\n")
        path.chmod(0o600)


def open_sessions(db: sqlite3.Connection) -> list[str]:
    """Sessions without a seal, oldest first."""
    sealed = {session for (session,) in db.execute("SELECT session FROM seals")}
    return [o.session for o in openings(db) if o.session not in sealed]


def left_over(db: sqlite3.Connection, quiet_s: float, boot: str, at_ns: int) -> list[str]:
    """Unsealed sessions that nobody will close any more: closed already, of another boot, followed by a newer one, or long quiet."""
    waiting = set(open_sessions(db))
    closed = {session for (session,) in db.execute("SELECT session FROM closings")}
    found = []
    for opening in openings(db):
        if opening.session not in waiting:
            continue
        last_ns = max([opening.at_ns, *_times(db, opening.session)])
        over = opening.boot != boot or opening.session in closed or opening.end_ns is not None
        if over or at_ns - last_ns > quiet_s * 1e9:
            found.append(opening.session)
    return found


def _times(db: sqlite3.Connection, session: str) -> list[int]:
    query = "SELECT max(at_ns) FROM plans WHERE session = :s UNION ALL SELECT max(at_ns) FROM speech WHERE session = :s"
    return [at for (at,) in db.execute(query, {"s": session}) if at is not None]


def spoken_out(db: sqlite3.Connection, session: str) -> bool:
    """Whether the last clause of the session's newest turn has been reported."""
    newest = db.execute("SELECT turn FROM plans WHERE session = ? ORDER BY at_ns DESC LIMIT 1", (session,)).fetchone()
    if newest is None:
        return True
    return db.execute("SELECT 1 FROM speech WHERE turn = ? AND last = 1", newest).fetchone() is not None


def retire(journal: Journal, shelf: Shelf, keep_days: int) -> tuple[str, ...]:
    """Erase the transcripts that are older than the person wants them kept; memories and the facts of alarms stay."""
    old, gone = journal.write(lambda db: _retire(db, shelf, keep_days))
    if gone:
        journal.scrub()
    return old


def _retire(db: sqlite3.Connection, shelf: Shelf, keep_days: int) -> tuple[tuple[str, ...], bool]:
    row = db.execute("SELECT last_s, distrusted_until_s FROM wall_clock").fetchone()
    before = WallClock(*row) if row else None
    clock = look(before, wall_s())
    db.execute("INSERT OR REPLACE INTO wall_clock VALUES (1, ?, ?)", (clock.last_s, clock.distrusted_until_s))
    if before and clock.distrusted_until_s > before.distrusted_until_s:
        rows.audit(db, "clock-jumped", "recorder", json.dumps([before.last_s, clock.last_s]), boot_id(), clock.last_s)
    old = expired(dict(db.execute("SELECT session, wall_s FROM seals")), clock, keep_days)
    for opening in [o for o in openings(db) if o.session in old]:
        erase_talk(db, opening.session, turn_ids(db, opening), memories=False)
        for path in shelf.of_session(opening.session):
            path.unlink(missing_ok=True)
        rows.audit(db, "session-expired", "recorder", opening.session, boot_id(), clock.last_s)
    return old, bool(old)


def erase_talk(db: sqlite3.Connection, session: str, turns: frozenset[str], memories: bool) -> None:
    """Delete the rows of a session and of its turns. Of an alarm its time and kind stay, its words go."""
    for turn in turns:
        for table in rows.TALK_TABLES:
            if table != "memories" or memories:
                db.execute(f"DELETE FROM {table} WHERE turn = ?", (turn,))  # noqa: S608 - names from our own list
        db.execute("UPDATE alarms SET words = '' WHERE turn = ?", (turn,))
    for table in rows.TALK_TABLES:
        if table != "memories" or memories:
            db.execute(f"DELETE FROM {table} WHERE session = ?", (session,))  # noqa: S608 - as above
    db.execute("UPDATE alarms SET words = '' WHERE session = ?", (session,))
    db.execute("DELETE FROM seals WHERE session = ?", (session,))
