"""What companion must know across restarts: the last day on which Beside said that it is a machine. One small file."""

import json
import os
from pathlib import Path

from device.errors import JournalError


class Diary:
    """`companion.json`, replaced as a whole so that a crash leaves the old or the new one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.said_machine_on = ""  # ISO date, local
        try:
            self.said_machine_on = str(json.loads(path.read_text(encoding="utf-8"))["said_machine_on"])
        except (OSError, ValueError, KeyError, TypeError):
            self.said_machine_on = ""  # no file, or none of ours: saying it once more does no harm

    def note_machine_said(self, day: str) -> None:
        """JournalError if it cannot be written."""
        self.said_machine_on = day
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                json.dump({"said_machine_on": day}, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise JournalError("diary-unwritable", f"{self._path} cannot be written.", "Check that the disk is not full.") from error
