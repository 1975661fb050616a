"""The folders beside the journal: session logs, emotions text logs, exports, and copies of the journal itself."""

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from device.config import Paths

JOURNAL = "journal.sqlite"
ALARMS = "guardian/alarms.sqlite"  # guardian's own store
MEMORY_INDEX = "thinker/memory_index"  # ids and vectors


class Shelf:
    """Where the recorder's files lie: in its own folder below `paths.data`, and what it looks at in the folders of others."""

    def __init__(self, data: Path, run: Path | None = None, models: Path | None = None) -> None:
        self.data, self.run, self.models = data, run, models
        self.own = data / "recorder"
        self.journal = self.own / JOURNAL
        self.sessions = self.own / "sessions"
        self.exports = self.own / "exports"
        self.memory_index = data / MEMORY_INDEX

    @classmethod
    def of(cls, paths: Paths) -> "Shelf":
        return cls(paths.data, paths.run, paths.models)

    def log(self, session: str, opened_wall_s: float) -> Path:
        """`2026-01-31-ID.md`."""
        return self.sessions / f"{_date(opened_wall_s)}-{safe(session)}.md"

    def emotions(self, session: str) -> Path:
        """The emotions text log: lives for the conversation, longer only with consent."""
        return self.sessions / f"{safe(session)}-emotions.txt"

    def of_session(self, session: str) -> list[Path]:
        """Every file that holds something of the session."""
        name = safe(session)
        return [p for folder in (self.sessions, self.exports) if folder.is_dir() for p in folder.iterdir() if _session_in(p.name) == name]

    def of_all_sessions(self) -> list[Path]:
        return [p for folder in (self.sessions, self.exports) if folder.is_dir() for p in folder.iterdir() if p.is_file()]

    def old_journals(self) -> list[Path]:
        """Copies from before a migration: they hold what the journal held then."""
        return sorted(self.own.glob("journal-before-*"))

    def damaged_journals(self) -> list[Path]:
        return sorted(self.own.glob("journal-damaged-*"))

    def everything(self) -> Iterator[Path]:
        """Every file below the data folder, whoever wrote it, the bus's store and the logs. A folder closed to us stands for its files."""
        closed: list[Path] = []
        for folder, folders, files in os.walk(self.data, onerror=lambda error: closed.append(Path(error.filename))):
            folders[:] = sorted(name for name in folders if Path(folder, name) != self.models)  # gigabytes, and nobody's words
            yield from (path for name in sorted(files) if (path := Path(folder, name)).is_file() and not path.is_symlink())
        yield from closed
        if self.run is not None:
            yield from sorted({*self.run.glob("mosquitto.db*"), *self.run.glob("*.log*")})

    def is_of_another(self, path: Path) -> bool:
        """Guardian's alarms or the broker's store: they erase by themselves."""
        return self.name(path).startswith(ALARMS) or path.name.startswith("mosquitto.db")

    def name(self, path: Path) -> str:
        """What to call a file before people."""
        return str(path.relative_to(self.data)) if path.is_relative_to(self.data) else f"the bus's {path.name}"


def safe(session: str) -> str:
    """A session's id as part of a file name: whatever came over the bus, it names no other folder."""
    return re.sub(r"[^A-Za-z0-9_]", "_", session)[:64] or "_"


def _date(wall_s: float) -> str:
    return f"{datetime.fromtimestamp(wall_s).astimezone():%Y-%m-%d}"


def _session_in(name: str) -> str:
    """The session's id in a file name of ours."""
    stem = name.split(".", 1)[0].removesuffix("-emotions")
    return re.sub(r"^\d{4}-\d\d-\d\d-", "", stem)


def write_whole(path: Path, text: str) -> None:
    """The whole file or none of it, for the owner's eyes, on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w", encoding="utf-8") as out:
            if os.geteuid() == 0:  # `sudo beside …`: what lies in the service's folder is the service's to read and to forget
                owner = path.parent.stat()
                os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
