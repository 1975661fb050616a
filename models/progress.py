"""What a long step tells the person who waits: a bar with rate and time left, lines of JSON for a program, or nothing."""

import json
import sys
import time
from types import TracebackType
from typing import Protocol, Self

JSON_EVERY_S = 1.0


class Progress(Protocol):
    def begin(self, what: str, total_bytes: int | None, done_bytes: int = 0) -> None:
        """A new file; `done_bytes` of it are here already."""

    def moved(self, count: int) -> None:
        """So many bytes more; negative when a resumed part had to be thrown away."""

    def note(self, text: str) -> None:
        """One sentence."""


class Silent:
    """For tests and for steps that are over at once."""

    def begin(self, what: str, total_bytes: int | None, done_bytes: int = 0) -> None:
        pass

    def moved(self, count: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class JsonLines:
    """One object a line on standard error, at most one a second for a file that moves."""

    def __init__(self) -> None:
        self._what, self._total, self._done, self._told_s = "", None, 0, 0.0

    _total: int | None

    def begin(self, what: str, total_bytes: int | None, done_bytes: int = 0) -> None:
        self._what, self._total, self._done = what, total_bytes, done_bytes
        self._tell({"file": what, "bytes": total_bytes, "done": done_bytes})

    def moved(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._told_s >= JSON_EVERY_S:
            self._tell({"file": self._what, "bytes": self._total, "done": self._done})

    def note(self, text: str) -> None:
        self._tell({"note": text})

    def _tell(self, what: dict[str, object]) -> None:
        self._told_s = time.monotonic()
        print(json.dumps(what), file=sys.stderr, flush=True)


class Bar:
    """A bar on standard error, by rich."""

    def __init__(self) -> None:
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"), progress.BarColumn(), progress.DownloadColumn(binary_units=False),
            progress.TransferSpeedColumn(), progress.TimeRemainingColumn(), console=Console(stderr=True),
        )  # fmt: skip
        self._task: progress.TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def begin(self, what: str, total_bytes: int | None, done_bytes: int = 0) -> None:
        self._task = self._bar.add_task(what, total=total_bytes, completed=done_bytes)

    def moved(self, count: int) -> None:
        if self._task is not None:
            self._bar.advance(self._task, count)

    def note(self, text: str) -> None:
        self._bar.console.print(text, highlight=False)
