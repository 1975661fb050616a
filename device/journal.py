"""The journal: one SQLite file that keeps what must last, with one writer.

WAL and synchronous=FULL: a commit that returned survives SIGKILL and a power cut. Nothing is ever pretended: what cannot be
written raises JournalError, the connection is closed, and the next write opens and checks the file again, so it recovers
without a restart when space returns. A damaged file is put aside, read-only, and a fresh one begun; `notice` says so.

    journal = Journal(folder / "journal.sqlite")
    journal.write(lambda db: db.execute("INSERT …"))     # one transaction, committed when it returns

Blocking: call it from a thread of its own.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from device.errors import JournalError
from device.journal_trouble import DAMAGE, trouble
from device.migrations import MIGRATIONS

T = TypeVar("T")
BUSY_MS = 5000
_OURS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, OverflowError)  # a mistake in a row, not on the disk
_VERSION_AT = slice(60, 64)  # user_version in SQLite's file header: readable without opening, and so without touching


class Journal:
    """The one writer. Opens at the first use."""

    def __init__(self, path: Path, migrations: Sequence[tuple[str, ...]] = MIGRATIONS) -> None:
        self.path = path
        self.notice: JournalError | None = None  # a damaged or vanished journal was replaced by a fresh one
        self._migrations = migrations
        self._db: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._damaged = False

    def open(self) -> None:
        """Lock, check, migrate. Raises JournalError; a journal of a newer Beside is refused before it is touched."""
        if self._db is not None:
            return
        try:
            self._refuse_newer(_version_in_file(self.path))
            self._take_lock()
            self._db = self._checked()
            self._migrate(self._db)
        except (sqlite3.Error, OSError) as error:
            self._drop()
            raise trouble(error, self.path) from error
        except JournalError:
            self._drop()
            raise

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction; when this returns, it is on the disk. JournalError: nothing of it is."""
        return self._run(work, "BEGIN IMMEDIATE")

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one consistent state."""
        return self._run(work, "BEGIN")

    def scrub(self) -> None:
        """After an erasure: rewrite the file without its gaps and empty the WAL, so that no byte of what was deleted stays."""
        self.open()
        assert self._db is not None
        try:
            self._db.execute("VACUUM")
            self.truncate_wal()
        except sqlite3.Error as error:
            self._drop()
            raise trouble(error, self.path) from error

    def truncate_wal(self) -> None:
        """Move everything from the WAL into the file and cut the WAL to nothing; a reader in its midst makes us wait."""
        self.open()
        assert self._db is not None
        busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise JournalError(
                "journal-being-read",
                "Someone reads the journal, so its traces cannot be wiped yet.",
                "Close other programs that show sessions.",
            )

    def rest(self) -> None:
        """Close the file but stay its only writer; the next use opens it again. Now its bytes may be read without harm."""
        self._drop()

    def close(self) -> None:
        """Close and let others write."""
        self._drop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _run(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        self.open()
        assert self._db is not None
        try:
            self._db.execute(begin)
            result = work(self._db)
            self._db.execute("COMMIT")
        except (sqlite3.DatabaseError, OverflowError, OSError) as error:
            if isinstance(error, _OURS) or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR:
                self._db.execute("ROLLBACK")
                raise JournalError("journal-row-refused", "Something that should be kept does not fit the journal.") from error
            # After a failed fsync the file's state is unknown: never carry on with this connection, open and check again.
            self._damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE
            self._drop()
            raise trouble(error, self.path) from error
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        return result

    def _drop(self) -> None:
        if self._db is not None:
            db, self._db = self._db, None
            db.close()

    def _take_lock(self) -> None:
        """flock: freed by the kernel however we end."""
        if self._lock is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise JournalError(
                "journal-in-use", "Another process writes the journal.", "Ask it through a running Beside, or stop the other one first."
            ) from error
        self._lock = lock

    @property
    def _lock_path(self) -> Path:
        return self.path.with_name(self.path.name + ".lock")

    def _refuse_newer(self, version: int) -> None:
        if version > len(self._migrations):
            raise JournalError(
                "journal-newer",
                f"The journal was written by a newer Beside (version {version}, this one knows {len(self._migrations)}).",
                "Install the newer Beside again; the journal has not been touched.",
            )

    def _checked(self) -> sqlite3.Connection:
        """A connection to a sound file: ours, or a fresh one after the damaged one was put aside."""
        assert self._lock is not None
        known = os.pread(self._lock, 1, 0) == b"1"  # a journal stood here before
        if known and (not self.path.exists() or self.path.stat().st_size == 0):
            self.notice = JournalError(
                "journal-vanished",
                "The journal was gone or empty at the start, so a new one was begun.",
                "Look for a copy, and run: beside doctor",
            )
        if not self._damaged and _sound(self.path):
            return connect(self.path)
        self._put_aside()
        return connect(self.path)

    def _put_aside(self) -> None:
        aside = self.path.with_name(f"{self.path.stem}-damaged-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1_000_000:06d}.sqlite")
        for end in ("", "-wal", "-shm"):  # the WAL holds commits of the same file: they belong together
            part = self.path.with_name(self.path.name + end)
            if part.exists():
                part.chmod(0o400)
                part.rename(aside.with_name(aside.name + end))
        self._damaged = False
        self.notice = JournalError(
            "journal-damaged",
            f"The journal was damaged. It is kept beside the new one as {aside.name}; a fresh one was begun.",
            "Keep that file for a technician; check the disk with: beside doctor",
        )

    def _migrate(self, db: sqlite3.Connection) -> None:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        self._refuse_newer(version)
        if 0 < version < len(self._migrations):
            copy = self.path.with_name(f"{self.path.stem}-before-m{version + 1:03d}-{time.strftime('%Y%m%d-%H%M%S')}.sqlite")
            os.close(os.open(copy, os.O_CREAT | os.O_WRONLY, 0o600))
            db.execute("VACUUM INTO ?", (str(copy),))
        for number, statements in enumerate(self._migrations[version:], version + 1):
            db.execute("BEGIN EXCLUSIVE")
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        if version < len(self._migrations):
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the version must stand in the file itself, see _VERSION_AT
        assert self._lock is not None
        os.pwrite(self._lock, b"1", 0)


def connect(path: Path) -> sqlite3.Connection:
    """A writing connection with every setting that our promises rest on: SQLite forgets them with each connection."""
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # the WAL takes its rights from the file
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
    for setting in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "temp_store=MEMORY",
        "trusted_schema=OFF",
    ):
        db.execute(f"PRAGMA {setting}")
    return db


def _version_in_file(path: Path) -> int:
    """Only while this process has no connection to the file: closing any descriptor of it would free SQLite's own locks."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise trouble(error, path) from error
    return int.from_bytes(header[_VERSION_AT], "big") if header.startswith(b"SQLite format 3\0") else 0


def _sound(path: Path) -> bool:
    """SQLite's own check; an error of the disk is not damage and is raised."""
    db: sqlite3.Connection | None = None
    try:
        db = connect(path)
        return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE:
            return False
        raise
    finally:
        if db is not None:
            db.close()
