"""m001: one table for each kind of event, one row for each event, keyed by the event's id.

Rows are only ever inserted, so events may come twice and in any order and the same rows stand in the end; what belongs
together (an utterance, its plan, what was heard) is joined when it is read. Erasing is the one exception.
"""

_HEADER = """
  event TEXT PRIMARY KEY,   -- the event's id: a second insert is ignored
  session TEXT NOT NULL,    -- empty until the companion has put the turn into a session
  turn TEXT NOT NULL,
  boot TEXT NOT NULL,
  at_ns INTEGER NOT NULL,   -- monotonic, of that boot
  wall_s REAL NOT NULL,     -- for people; may jump
  more TEXT                 -- JSON of what a newer event carries and no column holds
"""


def _facts(name: str, columns: str) -> tuple[str, str, str]:
    return (
        f"CREATE TABLE {name} ({_HEADER}, {columns}) STRICT, WITHOUT ROWID",
        f"CREATE INDEX {name}_by_session ON {name} (session)",
        f"CREATE INDEX {name}_by_turn ON {name} (turn)",
    )


STATEMENTS: tuple[str, ...] = (
    *_facts("openings", "who TEXT NOT NULL"),
    *_facts("closings", "why TEXT NOT NULL"),
    *_facts(
        "utterances",
        "text TEXT NOT NULL, alternatives TEXT NOT NULL, confidence REAL, engine TEXT NOT NULL, "
        "speech_start_ns INTEGER NOT NULL, speech_end_ns INTEGER NOT NULL, decided_ns INTEGER NOT NULL, decided_by TEXT NOT NULL",
    ),
    *_facts("judgements", "level TEXT NOT NULL, rules TEXT NOT NULL, takes_floor INTEGER NOT NULL"),
    *_facts("alarms", "alarm TEXT NOT NULL, level TEXT NOT NULL, kind TEXT NOT NULL, rules TEXT NOT NULL, words TEXT NOT NULL"),
    *_facts(
        "plans",
        "user_text TEXT NOT NULL, feeling TEXT NOT NULL, feeling_share REAL NOT NULL, intent TEXT NOT NULL, why TEXT NOT NULL, face TEXT",
    ),
    *_facts(
        "replies",
        "draft INTEGER NOT NULL, why TEXT NOT NULL, clauses INTEGER NOT NULL, first_token_ms REAL NOT NULL, "
        "tokens INTEGER NOT NULL, tokens_per_s REAL NOT NULL, model TEXT NOT NULL, memories TEXT NOT NULL",
    ),
    *_facts("refusals", '"index" INTEGER NOT NULL, text TEXT NOT NULL, rule TEXT NOT NULL, replaced_by TEXT NOT NULL'),
    *_facts(
        "speech",
        '"index" INTEGER NOT NULL, text TEXT NOT NULL, heard_text TEXT NOT NULL, heard_ms INTEGER NOT NULL, '
        "interrupted INTEGER NOT NULL, last INTEGER NOT NULL, engine TEXT NOT NULL",
    ),
    *_facts("moods", "moods TEXT NOT NULL, faces INTEGER NOT NULL, unknown_because TEXT NOT NULL"),
    *_facts("memories", "text TEXT NOT NULL, who TEXT NOT NULL, source TEXT NOT NULL"),
    *_facts("consents", "what TEXT NOT NULL, given INTEGER NOT NULL, by TEXT NOT NULL, number INTEGER NOT NULL"),
    # An erasure that was asked for and is not proven yet is taken up again after a crash.
    *_facts(
        "forgets", "forget_session TEXT NOT NULL, by TEXT NOT NULL, erased INTEGER NOT NULL DEFAULT 0, sentence TEXT NOT NULL DEFAULT ''"
    ),
    # Who belongs to whom, for reading. A session whose opening was lost begins with its first row.
    "CREATE VIEW beginnings AS SELECT session, who, boot, at_ns, wall_s, 0 AS late FROM openings"
    " UNION ALL SELECT session, '', boot, at_ns, wall_s, 1 FROM plans"
    " UNION ALL SELECT session, '', boot, at_ns, wall_s, 1 FROM closings"
    " UNION ALL SELECT session, '', boot, at_ns, wall_s, 1 FROM speech",
    "CREATE VIEW belongings AS SELECT session, turn FROM plans UNION SELECT session, turn FROM utterances"
    " UNION SELECT session, turn FROM speech UNION SELECT session, turn FROM judgements UNION SELECT session, turn FROM refusals"
    " UNION SELECT session, turn FROM replies UNION SELECT session, turn FROM alarms UNION SELECT session, turn FROM memories",
    "CREATE TABLE seals (session TEXT PRIMARY KEY, wall_s REAL NOT NULL, log TEXT NOT NULL, turns INTEGER NOT NULL) STRICT",
    # What was forgotten must not come back when the broker delivers an old event again. '*' stands for everything.
    "CREATE TABLE forgotten (key TEXT PRIMARY KEY, boot TEXT NOT NULL, at_ns INTEGER NOT NULL, wall_s REAL NOT NULL) STRICT",
    "CREATE TABLE audit (number INTEGER PRIMARY KEY, wall_s REAL NOT NULL, boot TEXT NOT NULL, what TEXT NOT NULL, "
    "by TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL) STRICT",
    "CREATE TABLE wall_clock (one INTEGER PRIMARY KEY CHECK (one = 1), last_s REAL NOT NULL, distrusted_until_s REAL NOT NULL) STRICT",
)
