"""To forget for real: rows, logs, exports and traces in the files go, and a search proves that nothing is left.

Three steps, each blocking and run in the journal's thread: `erase`, then the thinker rebuilds its index (or `drop_index`
when it is down), then `prove`. What to search for is taken from the rows before they go and never written anywhere.
"""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from device.clock import boot_id, wall_s
from device.events import ForgetRequest
from device.journal import Journal
from services.recorder import rows
from services.recorder.sealing import erase_talk
from services.recorder.shelf import ALARMS, Shelf
from services.recorder.talk import openings, turn_ids

PHRASE_CHARS = 60
SHORTEST_CHARS = 5  # "yes" would be found in every book
WORD_CHARS = 7
_TEXTS = (
    ("utterances", "text"), ("utterances", "alternatives"), ("plans", "user_text"), ("plans", "why"), ("speech", "text"),
    ("speech", "heard_text"), ("refusals", "text"), ("refusals", "replaced_by"), ("memories", "text"), ("alarms", "words"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure took away, and what to search for afterwards."""

    request: ForgetRequest
    sessions: int
    turns: int
    memories: tuple[str, ...]  # ids
    said_in: tuple[str, ...]  # ids of the turns
    phrases: tuple[bytes, ...] = field(repr=False)  # whole texts, or their beginning and end
    words: tuple[bytes, ...] = field(repr=False)  # rare words that no other row holds
    resumed: bool = False  # after a crash the rows were gone already: there is nothing left to search for

    @property
    def everything(self) -> bool:
        return self.request.forget_session == ""


def erase(journal: Journal, shelf: Shelf, request: ForgetRequest) -> Erased:
    """Rows, logs, exports, old copies and the traces of them in file and WAL."""
    if journal.read(lambda db: db.execute("SELECT erased FROM forgets WHERE event = ?", (request.id,)).fetchone()) == (1,):
        journal.scrub()
        return Erased(request, 0, 0, (), _turns_erased(journal, request), (), (), resumed=True)
    files = shelf.of_session(request.forget_session) if request.forget_session else shelf.of_all_sessions()
    for path in [*files, *shelf.old_journals()]:
        path.unlink(missing_ok=True)
    erased = journal.write(lambda db: _erase(db, request))
    journal.scrub()
    for path in shelf.damaged_journals():
        if erased.everything or _finds(path, erased.phrases):
            path.unlink(missing_ok=True)  # SQLite cannot open it to take out one session; the right to be forgotten weighs more
    return erased


def drop_index(shelf: Shelf) -> None:
    """Delete the thinker's index folder. Only while the thinker is down; it builds a new one from the journal when it starts."""
    if shelf.memory_index.exists():
        shutil.rmtree(shelf.memory_index)


@dataclass(frozen=True, slots=True)
class Search:
    """What a search of every file came to."""

    found: tuple[Path, ...]  # something erased still stands here
    closed: tuple[Path, ...]  # not ours to read


def prove(journal: Journal, shelf: Shelf, erased: Erased) -> Search:
    """Look for what was erased in every file."""
    journal.rest()  # our own locks would fall if the file was read while it is open
    found, closed = [], []
    for path in shelf.everything():
        ours = path.name.startswith(shelf.journal.name)
        try:
            if _finds(path, [*erased.phrases, *erased.words] if ours else erased.phrases):
                found.append(path)
        except (PermissionError, IsADirectoryError):
            closed.append(path)
    return Search(tuple(found), tuple(closed))


def finish(journal: Journal, erased: Erased, sentence: str) -> None:
    """Note that it is done and proven."""
    journal.write(lambda db: db.execute("UPDATE forgets SET sentence = ? WHERE event = ?", (sentence, erased.request.id)))


def pending(db: sqlite3.Connection) -> list[ForgetRequest]:
    """Erasures that were asked for and not proven yet."""
    return [
        ForgetRequest(id=event, session=session, turn=turn, boot=boot, at_ns=at_ns, wall_s=asked_s, forget_session=forget, by=by)
        for event, session, turn, boot, at_ns, asked_s, forget, by in db.execute(
            "SELECT event, session, turn, boot, at_ns, wall_s, forget_session, by FROM forgets WHERE sentence = '' ORDER BY wall_s"
        )
    ]


def report(erased: Erased, search: Search, index: str, shelf: Shelf) -> str:
    """One or a few plain sentences for whoever asked. `index`: what became of the thinker's memory."""
    if erased.sessions == erased.turns == len(erased.memories) == 0 and not erased.resumed and not erased.everything:
        return "There was nothing to forget: no conversation of that name is in the journal."
    what = "Everything" if erased.everything else "The conversation"
    memories = len(erased.memories)
    counts = f"{_count(erased.sessions, 'conversation')}, {_count(erased.turns, 'turn')}, {memories} memor{'y' if memories == 1 else 'ies'}"
    names = [shelf.name(path) for path in search.found]
    left = [name for name in names if not name.startswith(ALARMS)]
    if erased.resumed:
        proof = "It was interrupted and finished after a restart, so its words could not be searched for again."
    elif left:
        proof = f"But something of it still stands in: {', '.join(left)}."
    elif search.closed:
        proof = "A search of the files that the recorder may read found nothing left."
    else:
        proof = "A search of every file found nothing left."
    if len(left) < len(names):
        proof += f" Guardian's own record of an alarm ({ALARMS}) still holds its words: guardian erases them when it runs again."
    if search.closed and not erased.resumed:
        proof += f" It could not look into {', '.join(shelf.name(path) for path in search.closed)}."
    return f"{what} is forgotten ({counts}). {index} {proof} Copies exported elsewhere are not Beside's to erase."


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _turns_erased(journal: Journal, request: ForgetRequest) -> tuple[str, ...]:
    """The turns of an erasure that was cut short, from its tombstones."""
    rows_of = "SELECT key FROM forgotten WHERE boot = ? AND at_ns = ? AND key NOT IN ('*', ?)"
    found = journal.read(lambda db: db.execute(rows_of, (request.boot, request.at_ns, request.forget_session)).fetchall())
    return tuple(key for (key,) in found)


def _erase(db: sqlite3.Connection, request: ForgetRequest) -> Erased:
    before = _texts(db)
    wanted = [o for o in openings(db) if request.forget_session in ("", o.session)]
    turns = {o.session: turn_ids(db, o) for o in wanted}
    gone = before_turns = frozenset(turn for ids in turns.values() for turn in ids)
    if request.forget_session == "":
        before_turns |= {turn for (turn,) in db.execute("SELECT turn FROM utterances UNION SELECT turn FROM belongings") if turn}
    ids = [
        event for event, session, turn in db.execute("SELECT event, session, turn FROM memories") if _meant(request, session, turn, gone)
    ]
    for opening in wanted:
        erase_talk(db, opening.session, turns[opening.session], memories=True)
        _tombstone(db, request, [opening.session, *turns[opening.session]])
        if opening.end_ns is None and opening.boot == request.boot:
            _reopen(db, opening.session, opening.who, opening.boot, opening.at_ns, opening.wall_s)
    if request.forget_session == "":
        for table in rows.TALK_TABLES:
            if table != "openings":
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from our own list
        db.execute("UPDATE alarms SET words = ''")
        db.execute("DELETE FROM seals")
        _tombstone(db, request, ["*"])
    detail = json.dumps(
        {"session": request.forget_session or "*", "sessions": len(wanted), "turns": len(before_turns), "memories": len(ids)}
    )
    rows.audit(db, "forgotten", request.by, detail, boot_id(), wall_s())
    db.execute("UPDATE forgets SET erased = 1 WHERE event = ?", (request.id,))
    after = _texts(db)
    phrases = _phrases(before - after, after)
    return Erased(request, len(wanted), len(before_turns), tuple(ids), tuple(sorted(gone)), phrases, _rare_words(db, before - after))


def _meant(request: ForgetRequest, session: str, turn: str, turns: frozenset[str]) -> bool:
    return request.forget_session in ("", session) or turn in turns


def _tombstone(db: sqlite3.Connection, request: ForgetRequest, keys: Iterable[str]) -> None:
    """An old event of these that the broker delivers again stays away; what is said from now on is kept."""
    db.executemany(
        "INSERT OR REPLACE INTO forgotten VALUES (?, ?, ?, ?)", [(key, request.boot, request.at_ns, request.wall_s) for key in keys]
    )


def _reopen(db: sqlite3.Connection, session: str, who: str, boot: str, at_ns: int, opened_s: float) -> None:
    """The conversation that goes on right now keeps its frame, so that what follows has a place."""
    db.execute(
        "INSERT OR IGNORE INTO openings (event, session, turn, boot, at_ns, wall_s, who) VALUES (?, ?, '', ?, ?, ?, ?)",
        (f"{session}-again", session, boot, at_ns, opened_s, who),
    )


def _texts(db: sqlite3.Connection) -> set[str]:
    """Everything that people and Beside said, as it stands in the rows."""
    return {text for table, column in _TEXTS for (text,) in db.execute(f"SELECT {column} FROM {table}") if text and text != "[]"}  # noqa: S608 - our own names


def _phrases(gone: set[str], stays: set[str]) -> tuple[bytes, ...]:
    """What to look for: each erased text, or beginning and end of a long one, unless it also stands in what stays."""
    parts = {part for text in gone for part in (text[:PHRASE_CHARS], text[-PHRASE_CHARS:]) if len(part) >= SHORTEST_CHARS}
    kept = "\n".join(stays)
    return tuple(sorted(part.encode() for part in parts if part not in kept))


def _rare_words(db: sqlite3.Connection, gone: set[str]) -> tuple[bytes, ...]:
    """Long words of the erased texts that nothing else in the journal holds."""
    words = {word for text in gone for word in re.findall(r"\w+", text) if len(word) >= WORD_CHARS}
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    kept = [sql for (sql,) in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")]
    for table in tables:
        kept += [str(value) for row in db.execute(f"SELECT * FROM {table}") for value in row if isinstance(value, str)]  # noqa: S608 - its own names
    rest = "\n".join(kept)
    return tuple(sorted(word.encode() for word in words if word not in rest))


def _finds(path: Path, needles: Iterable[bytes]) -> bool:
    """Whether one of the needles stands in the file's bytes."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    return any(needle in content for needle in needles)
