"""What SQLite and the disk report, in words for people."""

import errno
import shutil
import sqlite3
from pathlib import Path

from device.errors import JournalError

NO_SPACE_BYTES = 256 * 1024
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN}
DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def trouble(error: Exception, path: Path) -> JournalError:
    """The same trouble in words for people."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    number = getattr(error, "errno", 0)
    if code == sqlite3.SQLITE_FULL or number in (errno.ENOSPC, errno.EDQUOT) or (code == sqlite3.SQLITE_IOERR and _no_space(path)):
        return JournalError(
            "journal-disk-full", "The disk is full, so nothing can be written down.", "Free some space; Beside goes on by itself."
        )
    if code in _FORBIDDEN or number in (errno.EPERM, errno.EACCES, errno.EROFS):
        return JournalError(
            "journal-read-only", f"The journal in {path.parent} may not be written or read.", "Check the rights of that folder."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalError("journal-busy", "The journal is held by another program.", "Close other programs that have it open.")
    if code in DAMAGE:
        return JournalError("journal-damaged", "The journal is damaged.", "It is put aside and a fresh one begun at the next write.")
    return JournalError(
        "journal-unwritable", "The journal cannot be written; the disk reports an error.", "Check the disk with: beside doctor"
    )


def _no_space(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < NO_SPACE_BYTES
    except OSError:
        return False
