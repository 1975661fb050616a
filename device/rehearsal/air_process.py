"""The conversation's side of the air: starts the process and speaks to it in JSON lines."""

import asyncio
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from device.config import ROOT
from device.errors import DeviceError
from device.rehearsal.person import Clip
from device.rehearsal.report import Spoken

ANSWER_S = 5.0


class AirProcess:
    """`async with AirProcess(run, out, echo) as air`; its sockets are `air.microphone` and `air.loudspeaker`."""

    def __init__(self, run: Path, out: Path, echo: bool) -> None:
        self.microphone, self.loudspeaker = run / "mic.sock", run / "loud.sock"
        self.heard, self.talk = out / "heard.wav", out / "talk.wav"
        self.late_p99_ms = 0.0
        self._run, self._echo = run, echo
        self._process: asyncio.subprocess.Process | None = None
        self._said = 0

    async def __aenter__(self) -> Self:
        sockets = ["--microphone", str(self.microphone), "--loudspeaker", str(self.loudspeaker)]
        recordings = ["--heard", str(self.heard.absolute()), "--talk", str(self.talk.absolute())]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "device.rehearsal.air", *sockets, *recordings, *([] if self._echo else ["--no-echo"]),
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        await self._read()  # its sockets are there
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the air; its recordings are complete then."""
        if self._process is None or self._process.stdin is None:
            return
        if self._process.returncode is None:
            self._process.stdin.close()
            facts = await self._read()
            self.late_p99_ms = float(facts["late_p99_ms"])
        await self._process.wait()

    async def begin(self) -> int:
        """Start the recordings; the monotonic ns of their first sample."""
        return int((await self._ask(do="begin"))["begin_ns"])

    async def say(self, clip: Clip) -> Spoken:
        """Let the person say this now; returns at once with the times at which it begins and truly ends."""
        path = self._run / "clip.wav"
        clip.save(path)
        begin_ns = int((await self._ask(do="say", wav=str(path)))["begin_ns"])
        self._said += 1
        return Spoken(self._said, begin_ns, begin_ns + clip.ns(clip.end))

    async def _ask(self, **command: str) -> dict[str, Any]:
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("the air is asked before it is there")
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return await self._read()

    async def _read(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), ANSWER_S)
        except TimeoutError:
            line = b""
        if not line:
            raise DeviceError("air-lost", "The rehearsal's air stopped.", "Run it again; if it repeats, free the machine of other work.")
        answer: dict[str, Any] = json.loads(line)
        return answer
