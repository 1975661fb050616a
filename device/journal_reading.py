"""Reading the journal, beside the writer and without its rights: for the command line and the caregiver's page."""

import sqlite3
from pathlib import Path

from device.errors import JournalError
from device.journal_trouble import trouble
from device.migrations import MIGRATIONS

BUSY_S = 5.0


def open_reader(path: Path, versions: int = len(MIGRATIONS)) -> sqlite3.Connection:
    """A read-only connection, also while the writer works, also for a user who may not write in the folder."""
    if not path.exists():
        raise JournalError("journal-missing", "There is no journal yet.", "Talk with Beside first: beside up")
    try:
        try:
            return _reading(path, "mode=ro", versions)
        except sqlite3.OperationalError:
            if path.with_name(path.name + "-wal").exists():
                raise
            # Closed cleanly by another user: no WAL stands there and we may not make one, so the file alone is everything.
            return _reading(path, "immutable=1", versions)
    except sqlite3.Error as error:
        raise trouble(error, path) from error


def _reading(path: Path, how: str, versions: int) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=BUSY_S)
    try:
        db.execute("PRAGMA temp_store=MEMORY")
        _refuse_other(int(db.execute("PRAGMA user_version").fetchone()[0]), versions)
    except (sqlite3.Error, JournalError):
        db.close()
        raise
    return db


def _refuse_other(version: int, known: int) -> None:
    if version > known:
        raise JournalError("journal-newer", "The journal was written by a newer Beside.", "Install the newer Beside again.")
    if version < known:
        raise JournalError("journal-older", "The journal was written by an older Beside.", "Start Beside once: beside up")
