"""Events become rows: one insert for each, keyed by the event's id, so twice or in another order gives the same journal."""

import hashlib
import json
import sqlite3
from typing import Literal

from device.events import (
    AlarmRaised,
    ConsentRequest,
    Event,
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

Outcome = Literal["new", "known", "forgotten"]

TABLES: dict[type[Event], str] = {
    SessionOpened: "openings",
    SessionClosed: "closings",
    TranscriptFinal: "utterances",
    TranscriptJudged: "judgements",
    AlarmRaised: "alarms",
    TurnPlanned: "plans",
    ReplyEnded: "replies",
    SpeechRefused: "refusals",
    SpeechEnded: "speech",
    FaceSeen: "moods",
    MemoryNoted: "memories",
    ConsentRequest: "consents",
    ForgetRequest: "forgets",
}
TALK_TABLES = ("openings", "closings", "utterances", "judgements", "plans", "replies", "refusals", "speech", "moods", "memories")
_HEADER = {"id": "event", "session": "session", "turn": "turn", "boot": "boot", "at_ns": "at_ns", "wall_s": "wall_s"}


def insert(db: sqlite3.Connection, event: Event) -> Outcome:
    """Keep the event. "known": it stood there already. "forgotten": it belongs to what was erased and stays away."""
    if not isinstance(event, ConsentRequest | ForgetRequest) and is_forgotten(db, event):
        return "forgotten"
    table = TABLES[type(event)]
    known = {name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))}
    row = {column: getattr(event, name) for name, column in _HEADER.items()}
    own = {name: value for name, value in event.model_dump(mode="json").items() if name not in _HEADER and name != "v"}
    row |= {name: _value(value) for name, value in own.items() if name in known}
    if new := {name: value for name, value in own.items() if name not in known}:
        row["more"] = json.dumps(new, ensure_ascii=False)  # an event that has grown is kept whole, before a migration gives it a column
    if isinstance(event, ConsentRequest):
        row["number"] = db.execute("SELECT coalesce(max(number), 0) + 1 FROM consents").fetchone()[0]
    columns = ", ".join(f'"{name}"' for name in row)
    places = ", ".join("?" * len(row))
    made = db.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})", tuple(row.values()))  # noqa: S608 - names from our own classes
    return "new" if made.rowcount else "known"


def _value(value: object) -> object:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return int(value) if isinstance(value, bool) else value


def is_forgotten(db: sqlite3.Connection, event: Event) -> bool:
    """Whether the event is older than an erasure of its session, its turn or everything."""
    keys = [key for key in (event.session, event.turn) if key] + ["*"]
    found = db.execute(f"SELECT key, boot, at_ns, wall_s FROM forgotten WHERE key IN ({', '.join('?' * len(keys))})", keys)  # noqa: S608 - only question marks
    for key, boot, at_ns, wall_s in found:
        if boot == event.boot:
            if event.at_ns <= at_ns:
                return True
        elif key != "*" or event.wall_s <= wall_s:  # times of two boots compare only by the wall clock
            return True
    return False


def consents(db: sqlite3.Connection) -> tuple[bool, bool]:
    """(camera, keep-emotions) as they are in force: the last one given or withdrawn; none at first."""
    given = dict(db.execute("SELECT what, given FROM consents ORDER BY number"))
    return bool(given.get("camera", 0)), bool(given.get("keep-emotions", 0))


def audit(db: sqlite3.Connection, what: str, by: str, detail: str, boot: str, wall_s: float) -> None:
    """One more link of the chain; never a word that the person said."""
    last = db.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    number, before = (last[0] + 1, last[1]) if last else (1, "")
    link = _link(before, number, wall_s, boot, what, by, detail)
    db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", (number, wall_s, boot, what, by, detail, link))


def broken_audit_link(db: sqlite3.Connection) -> int | None:
    """The number of the first audit row that was changed, or that follows a missing one; None when the chain holds."""
    before, expected = "", 1
    for number, wall_s, boot, what, by, detail, link in db.execute("SELECT * FROM audit ORDER BY number"):
        if number != expected or link != _link(before, number, wall_s, boot, what, by, detail):
            return int(number)
        before, expected = link, expected + 1
    return None


def _link(before: str, number: int, wall_s: float, boot: str, what: str, by: str, detail: str) -> str:
    return hashlib.sha256(json.dumps([before, number, wall_s, boot, what, by, detail]).encode()).hexdigest()
