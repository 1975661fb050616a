"""The guardian's own small store: an alarm stands on the disk before a word of it is spoken."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from device.errors import JournalError
from device.events import AlarmRaised

SCHEMA = """
CREATE TABLE IF NOT EXISTS alarms (
    alarm TEXT PRIMARY KEY, session TEXT NOT NULL, turn TEXT NOT NULL, level TEXT NOT NULL, kind TEXT NOT NULL,
    rules TEXT NOT NULL, words TEXT NOT NULL, boot TEXT NOT NULL, at_ns INTEGER NOT NULL, wall_s REAL NOT NULL
) STRICT
"""


class AlarmStore:
    """SQLite in WAL mode with synchronous=FULL: committed means on the disk. JournalError if it cannot be opened or written."""

    def __init__(self, path: Path) -> None:
        """Readable by the file's group too: on an appliance that is the recorder, who searches it when something is forgotten."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o640)  # its words are for the care team; the WAL takes its rights from the file
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.execute(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._trouble() from error

    def raise_alarm(self, alarm: AlarmRaised) -> None:
        """Write it down; the same alarm twice is one row. Blocking (a few milliseconds of disk)."""
        try:
            self._db.execute(
                "INSERT OR IGNORE INTO alarms VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    alarm.alarm, alarm.session, alarm.turn, alarm.level, alarm.kind, " ".join(alarm.rules), alarm.words,
                    alarm.boot, alarm.at_ns, alarm.wall_s,
                ),
            )  # fmt: skip
        except sqlite3.Error as error:
            raise self._trouble() from error

    def forget(self, session: str, turns: Sequence[str]) -> None:
        """Erase the words of these alarms, and their traces on the disk; that there was an alarm, when and of what kind, stays.

        An empty session means every alarm. Blocking. JournalError if the disk refuses.
        """
        try:
            if session:
                self._db.execute("UPDATE alarms SET words = '' WHERE session = ?", (session,))
                self._db.executemany("UPDATE alarms SET words = '' WHERE turn = ?", [(turn,) for turn in turns if turn])
            else:
                self._db.execute("UPDATE alarms SET words = ''")
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise self._trouble() from error

    def count(self) -> int:
        """How many alarms are kept."""
        return int(self._db.execute("SELECT count(*) FROM alarms").fetchone()[0])

    def close(self) -> None:
        self._db.close()

    def _trouble(self) -> JournalError:
        return JournalError(
            "alarms-unwritable",
            f"Alarms cannot be written to {self._path}.",
            "Check that the disk is not full and the folder can be written.",
        )
