"""The two ways to type: a person at a terminal sees a prompt and the reply as it comes; a program gets one line for one line."""

import asyncio
import contextlib
import sys
import threading
from typing import Protocol, TextIO

PROMPT = "you     "
NAME = "Beside  "


class Terminal(Protocol):
    """Where lines are typed and replies are read."""

    def progress(self, text: str) -> None: ...

    def welcome(self) -> None: ...

    async def next_line(self) -> str | None:
        """The next utterance, stripped; None at the end of input."""
        ...

    def clause(self, text: str, first: bool) -> None: ...

    def reply_over(self, reply: str) -> None: ...


class _Lines:
    """Lines of a text stream, read by a thread of its own, so that waiting for a slow typist blocks nothing."""

    def __init__(self, source: TextIO) -> None:
        self._source = source
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, daemon=True, name="keyboard").start()

    def _read(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before the typist
            for line in self._source:
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            self._loop.call_soon_threadsafe(self._lines.put_nowait, None)

    async def next(self) -> str | None:
        line = await self._lines.get()
        return None if line is None else " ".join(line.split())


class PipeTerminal:
    """One utterance a line in, one reply a line out; anything else goes to standard error."""

    def __init__(self, source: TextIO, out: TextIO) -> None:
        self._lines, self._out = _Lines(source), out

    def progress(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def welcome(self) -> None:
        pass

    async def next_line(self) -> str | None:
        return await self._lines.next()

    def clause(self, text: str, first: bool) -> None:
        pass

    def reply_over(self, reply: str) -> None:
        print(" ".join(reply.split()), file=self._out, flush=True)


class PersonTerminal:
    """A prompt, and the reply clause by clause."""

    def __init__(self, source: TextIO, out: TextIO) -> None:
        self._lines, self._out = _Lines(source), out

    def progress(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def welcome(self) -> None:
        print("Beside is a machine that listens; not a medical device, not therapy, not a nurse call.", file=self._out)
        print("Type and press Enter. Ctrl-D ends the conversation.\n", file=self._out, flush=True)

    async def next_line(self) -> str | None:
        print(PROMPT, end="", file=self._out, flush=True)
        line = await self._lines.next()
        if line is None:
            print("\nGoodbye.", file=self._out, flush=True)
        return line

    def clause(self, text: str, first: bool) -> None:
        print(NAME if first else " ", text, sep="", end="", file=self._out, flush=True)

    def reply_over(self, reply: str) -> None:
        print(file=self._out, flush=True)
