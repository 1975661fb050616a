"""The whole house in the foreground: our own broker and every service as a process, for `up`, `try`, `rehearse` and the tests.

On the appliance systemd does this work. Here a dead service is started again after a moment, as systemd would, and a
service that dies at once again and again is left down with a sentence, so that a wrong configuration is seen.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Never, Self

from device import broker
from device.bus import Account, Bus
from device.clock import now_ns
from device.config import ROOT, Config
from device.errors import BusError, ConfigError
from device.events import SessionClosed, SessionSealed, StateChanged

VOICE = ("recorder", "guardian", "speaker", "companion", "thinker", "listener", "watcher")
TYPED = ("recorder", "guardian", "companion", "thinker", "keyboard")
LOOK_S = 0.1
RESTART_S = 0.3
GIVE_UP = (5, 30.0)  # this many deaths within this many seconds
STOP_S = 5.0
CLOSE_S = 0.3  # the companion has ended: what it said last is here, or it had nothing to close
SEAL_S = 5.0

# Spinning threads starve the neighbours: one voice loop shares two cores with a language model.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "1000",
    "MALLOC_ARENA_MAX": "2",
    "ANONYMIZED_TELEMETRY": "False",
    "HF_HUB_OFFLINE": "1",
    "PYTHONUNBUFFERED": "1",
}


async def attend(bus: Bus[StateChanged | SessionClosed | SessionSealed, Never], closed: asyncio.Event) -> None:
    """Set `closed` when a conversation is closed; return when it is sealed."""
    async for event in bus.hear():
        match event:
            case SessionClosed():
                closed.set()
            case SessionSealed():
                return


class House:
    """`async with House(config, config_path, services) as house: await house.watch()`; leaving it ends every process."""

    def __init__(
        self,
        config: Config,
        config_path: Path,
        services: Sequence[str] = VOICE,
        say: Callable[[str], None] = lambda line: None,
        ends_with: str = "",  # this service's end is the end of the talk: it is not started again
    ) -> None:
        self.config = config
        self.config_path = config_path
        self.services = tuple(services)
        self.run = config.paths.run
        self.began_ns = now_ns()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.left_down: set[str] = set()  # died too often to be started again
        self._deaths: dict[str, list[float]] = {name: [] for name in ("broker", *services)}
        self._due: dict[str, float] = {}  # the dead that will be started again, and when
        self._say = say
        self._ends_with = ends_with
        self._logs: dict[str, Path] = {}
        self._closing = False

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._prepare)
        self.start("broker")
        await self._until_socket()
        for name in self.services:
            self.start(name)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing = True
        await self.close_conversation()
        services = [self.processes[name] for name in reversed(self.services) if name in self.processes]
        await _end(services)
        await _end([p for name, p in self.processes.items() if name == "broker"])
        with contextlib.suppress(OSError):
            self.config.bus_socket.unlink()

    async def close_conversation(self) -> None:
        """End the companion first: it closes an open conversation, and the recorder seals it while all others still live."""
        companion, recorder = self.processes.get("companion"), self.processes.get("recorder")
        if companion is None or recorder is None or companion.poll() is not None or recorder.poll() is not None:
            return
        connection: Bus[StateChanged | SessionClosed | SessionSealed, Never] = Bus(self.account("house"), attend)
        with contextlib.suppress(BusError):
            async with connection as bus:
                closed = asyncio.Event()
                sealed = asyncio.create_task(attend(bus, closed))
                await _end([companion])
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), CLOSE_S)
                await asyncio.wait({sealed}, timeout=SEAL_S if closed.is_set() else 0)
                sealed.cancel()

    def account(self, name: str) -> Account:
        """An account of this house's bus: `tap` to watch, `operator` to ask."""
        return Account(name, (self.run / "accounts" / name).read_text(encoding="ascii").strip(), self.config.bus_socket)

    def start(self, name: str) -> None:
        """Start one process; its log is `run/NAME.log`. Call it from the main thread: a parent's death is told when its *thread* ends."""
        if name == "broker":
            self.config.bus_socket.unlink(missing_ok=True)
        command = (
            [broker.program() or "mosquitto", "-c", str(self.run / "broker.conf")]
            if name == "broker"
            else [sys.executable, "-m", f"services.{name}", "--config", str(self.config_path)]
        )
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]  # if this process is killed, none of them stays behind
        log = self._logs[name] = self.run / f"{name}.log"
        ours = name == "keyboard"  # it has our terminal
        with log.open("ab") as out:
            self.processes[name] = subprocess.Popen(
                command, stdout=None if ours else out, stderr=None if ours else out, stdin=None if ours else subprocess.DEVNULL, cwd=ROOT,
                env=self._environment(),
                start_new_session=True,
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))  # relative paths mean the user's folder, not ours
        return ENVIRONMENT | dict(os.environ) | {"BESIDE_CONFIG": str(self.config_path.absolute()), "PYTHONPATH": path}

    async def watch(self) -> None:
        """Start again what dies, until the house closes or the service that it ends with has ended; BusError if the broker cannot live."""
        while not self._closing:
            await asyncio.sleep(LOOK_S)
            for name in ("broker", *self.services):
                process = self.processes.get(name)
                if process is None or process.poll() is None:
                    continue
                if name == self._ends_with:
                    return
                self._look_after(name, process.returncode)

    def _look_after(self, name: str, code: int) -> None:
        """A dead process: note its death, and start it again when its moment has come."""
        now = time.monotonic()
        if name not in self._due:
            self._deaths[name] = [t for t in self._deaths[name] if now - t < GIVE_UP[1]] + [now]
            if len(self._deaths[name]) >= GIVE_UP[0] or code == ConfigError.exit_code:  # a wrong configuration does not mend itself
                self._give_up(name, code)
                return
            self._say(f"  {name} stopped ({_how(code)}); starting it again.")
            self._due[name] = now + RESTART_S
        elif now >= self._due[name]:
            del self._due[name]
            self.start(name)

    def _give_up(self, name: str, code: int) -> None:
        del self.processes[name]
        self.left_down.add(name)
        if name == "broker":
            raise BusError("broker-lost", "The message broker cannot stay alive.", f"Its log is {self.run / 'broker.log'}.")
        self._say(f"  {name} cannot start ({_how(code)}). {self.last_words(name)}")

    def last_words(self, name: str) -> str:
        """The last log line of a service: its own sentence for people."""
        with contextlib.suppress(OSError):
            lines = self._logs[name].read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return lines[-1].removeprefix(f"{name}: ERROR ") if lines else ""
        return ""

    def _prepare(self) -> None:
        """The folders and everything in them; BusError when the disk or its rights do not allow it."""
        try:
            broker.prepare(self.config)
            self.config.paths.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            for log in self.run.glob("*.log"):
                log.replace(log.with_suffix(".log.old"))  # of the last time: at most two are kept
        except OSError as error:
            raise BusError(
                "folder-unusable",
                f"Beside cannot write in {self.config.paths.data} or {self.run} ({error.strerror}).",
                "Make room there, or set paths.data and paths.run to folders that can be written.",
            ) from error

    async def _until_socket(self) -> None:
        for _ in range(100):
            if broker.answers(self.config.bus_socket):
                return
            await asyncio.sleep(0.05)
        await self.__aexit__(None, None, None)
        raise BusError("broker-silent", "The message broker did not start.", f"Its log is {self.run / 'broker.log'}.")


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


async def _end(processes: list["subprocess.Popen[bytes]"]) -> None:
    """SIGTERM, a few seconds of grace, then SIGKILL."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    await asyncio.to_thread(_reap, processes, deadline)


def _reap(processes: list["subprocess.Popen[bytes]"], deadline: float) -> None:
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
