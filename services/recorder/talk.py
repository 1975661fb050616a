"""A conversation read back from its rows: which turns belong to it, who said what, what was really heard."""

import json
import sqlite3
from dataclasses import dataclass, field
from itertools import pairwise

GRACE_NS = 120_000_000_000  # the first words come before the session is opened with them


@dataclass(frozen=True, slots=True)
class Said:
    """One clause of Beside."""

    wall_s: float
    text: str  # as requested
    heard_text: str  # what really went out
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of the person and what answered it; `text` is empty when Beside spoke by itself."""

    turn: str
    wall_s: float
    text: str
    confidence: float | None
    feeling: str
    feeling_share: float
    intent: str
    why: str
    face: str
    level: str
    rules: tuple[str, ...]
    refused: int
    spoken: tuple[Said, ...]
    engines: tuple[str, ...]  # recogniser, model, voice; what is known of them
    first_token_ms: float | None

    @property
    def heard_text(self) -> str:
        return " ".join(said.heard_text for said in self.spoken if said.heard_text)

    @property
    def interrupted(self) -> bool:
        return any(said.interrupted for said in self.spoken)


@dataclass(frozen=True, slots=True)
class Alarm:
    wall_s: float
    level: str
    kind: str
    rules: tuple[str, ...]
    words: str  # empty once they were erased


@dataclass(frozen=True, slots=True)
class Mood:
    wall_s: float
    moods: tuple[tuple[str, float], ...]  # label and share, strongest first
    unknown_because: str


@dataclass(frozen=True, slots=True)
class Talk:
    """One session."""

    session: str
    who: str
    opened_wall_s: float
    closed_wall_s: float | None
    length_s: float | None  # from the monotonic clock, None while it goes on
    why: str  # how it ended; empty while it goes on
    turns: tuple[Turn, ...]
    alarms: tuple[Alarm, ...]
    moods: tuple[Mood, ...] = field(default=())
    memories: tuple[str, ...] = field(default=())
    log: str = ""  # path of the sealed log

    @property
    def utterances(self) -> int:
        return sum(1 for turn in self.turns if turn.text)


@dataclass(frozen=True, slots=True)
class Opening:
    """When a session began, and until when its turns can be."""

    session: str
    who: str
    boot: str
    at_ns: int
    wall_s: float
    end_ns: int | None  # closed, or the next one opened, in the same boot


def openings(db: sqlite3.Connection) -> tuple[Opening, ...]:
    """Every session, oldest first. A session that was opened twice counts once; one without an opening begins with its first row."""
    first: dict[str, tuple[str, str, int, float]] = {}
    rows = db.execute("SELECT session, who, boot, at_ns, wall_s FROM beginnings WHERE session <> '' ORDER BY late, wall_s, at_ns")
    for session, who, boot, at_ns, wall_s in rows:
        first.setdefault(session, (who, boot, at_ns, wall_s))
    ends: dict[str, int] = {}
    for boot in {boot for _, boot, _, _ in first.values()}:  # the next opening of the same boot ends a session that nobody closed
        here = sorted((at_ns, session) for session, (_, b, at_ns, _) in first.items() if b == boot)
        ends |= {session: later for (at_ns, session), (later, _) in pairwise(here) if later > at_ns}
    for session, boot, at_ns in db.execute("SELECT session, boot, min(at_ns) FROM closings GROUP BY session"):
        if session in first and first[session][1] == boot:
            ends[session] = min(at_ns, ends.get(session, at_ns))
    found = [Opening(session, who, boot, at_ns, wall_s, ends.get(session)) for session, (who, boot, at_ns, wall_s) in first.items()]
    return tuple(sorted(found, key=lambda o: (o.wall_s, o.at_ns)))


def turn_ids(db: sqlite3.Connection, opening: Opening) -> frozenset[str]:
    """The session's turns: those that say so, and those that nobody planned but that fell into its time."""
    turns = {turn for (turn,) in db.execute("SELECT turn FROM belongings WHERE session = ?", (opening.session,)) if turn}
    stray = db.execute(
        "SELECT turn FROM utterances WHERE session = '' AND boot = ? AND at_ns >= ? AND (? IS NULL OR at_ns < ?) "
        "AND turn NOT IN (SELECT turn FROM plans UNION SELECT turn FROM speech WHERE session <> '')",
        (opening.boot, opening.at_ns - GRACE_NS, opening.end_ns, opening.end_ns),
    )
    return frozenset(turns | {turn for (turn,) in stray if turn})


def read_talk(db: sqlite3.Connection, session: str) -> Talk | None:
    """The whole conversation, or None if there is none of that name."""
    opening = next((o for o in openings(db) if o.session == session), None)
    if opening is None:
        return None
    closing = db.execute("SELECT why, wall_s, at_ns, boot FROM closings WHERE session = ? ORDER BY at_ns LIMIT 1", (session,)).fetchone()
    ids = turn_ids(db, opening)
    turns = [_turn(db, turn) for turn in ids]
    turns += [
        Turn("", wall_s, "", None, "", 0.0, "", "", "", "none", (), 0, (Said(wall_s, text, heard, bool(interrupted)),), (engine,), None)
        for wall_s, text, heard, interrupted, engine in db.execute(
            "SELECT wall_s, text, heard_text, interrupted, engine FROM speech WHERE session = ? AND turn = ''", (session,)
        )
    ]
    alarms = tuple(
        Alarm(wall_s, level, kind, tuple(json.loads(rules)), words)
        for turn, own, wall_s, level, kind, rules, words in db.execute(
            "SELECT turn, session, wall_s, level, kind, rules, words FROM alarms ORDER BY wall_s"
        )
        if own == session or turn in ids
    )
    moods = tuple(
        Mood(wall_s, tuple((m["label"], m["share"]) for m in json.loads(moods)), because)
        for wall_s, moods, because in db.execute(
            "SELECT wall_s, moods, unknown_because FROM moods WHERE session = ? ORDER BY at_ns", (session,)
        )
    )
    seal = db.execute("SELECT log FROM seals WHERE session = ?", (session,)).fetchone()
    return Talk(
        session, opening.who, opening.wall_s,
        closing[1] if closing else None,
        (closing[2] - opening.at_ns) / 1e9 if closing and closing[3] == opening.boot else None,
        closing[0] if closing else "",
        tuple(sorted(turns, key=lambda turn: turn.wall_s)), alarms, moods,
        tuple(text for (text,) in db.execute("SELECT text FROM memories WHERE session = ? ORDER BY event", (session,))),
        seal[0] if seal else "",
    )  # fmt: skip


def _turn(db: sqlite3.Connection, turn: str) -> Turn:
    def first(sql: str) -> tuple[object, ...] | None:
        found: tuple[object, ...] | None = db.execute(sql, (turn,)).fetchone()
        return found

    utterance = first("SELECT text, confidence, engine, wall_s FROM utterances WHERE turn = ? ORDER BY event LIMIT 1")
    plan = first(
        "SELECT feeling, feeling_share, intent, why, face, user_text, wall_s FROM plans WHERE turn = ? ORDER BY event DESC LIMIT 1"
    )
    reply = first("SELECT model, first_token_ms FROM replies WHERE turn = ? ORDER BY why = 'complete' DESC, draft DESC, event DESC LIMIT 1")
    judged = db.execute("SELECT level, rules FROM judgements WHERE turn = ?", (turn,)).fetchall()
    level = max((row[0] for row in judged), key=("none", "T3", "T2", "T1").index, default="none")
    spoken = db.execute(
        'SELECT wall_s, text, heard_text, interrupted, engine FROM speech WHERE turn = ? ORDER BY at_ns, "index"', (turn,)
    ).fetchall()
    refused = int(db.execute("SELECT count(*) FROM refusals WHERE turn = ?", (turn,)).fetchone()[0])
    begun = [row for row in ((utterance or [None])[-1], (plan or [None])[-1], spoken[0][0] if spoken else None) if isinstance(row, float)]
    engines = [str(utterance[2])] if utterance else []
    engines += [str(reply[0])] if reply and reply[0] else []
    return Turn(
        turn=turn,
        wall_s=begun[0] if begun else 0.0,
        text=str(utterance[0] if utterance else plan[5] if plan else ""),
        confidence=utterance[1] if utterance and isinstance(utterance[1], float) else None,
        feeling=str(plan[0]) if plan else "",
        feeling_share=float(str(plan[1])) if plan else 0.0,
        intent=str(plan[2]) if plan else "",
        why=str(plan[3]) if plan else "",
        face=str(plan[4] or "") if plan else "",
        level=str(level),
        rules=tuple(sorted({rule for row in judged for rule in json.loads(row[1])})),
        refused=refused,
        spoken=tuple(Said(wall_s, text, heard, bool(interrupted)) for wall_s, text, heard, interrupted, _ in spoken),
        engines=tuple(engines + sorted({row[4] for row in spoken})),
        first_token_ms=reply[1] if reply and isinstance(reply[1], float) else None,
    )
