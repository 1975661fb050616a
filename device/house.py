"""The whole house in the foreground: our own broker and every service as a process, for `up`, `try`, `rehearse` and the tests.

On the appliance systemd does this work. Here a dead service is started again after a moment, as systemd would, and a
service that dies at once again and again is left down with a sentence, so that a wrong configuration is seen.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Never, Self

from device.bus import Account, Bus
from device.config import ROOT, Config
from device.errors import BusError
from device.events import SessionClosed, SessionSealed, StateChanged

VOICE = ("recorder", "guardian", "speaker", "companion", "thinker", "listener", "watcher")
TYPED = ("recorder", "guardian", "companion", "thinker", "keyboard")
RESTART_S = 0.5
GIVE_UP = (5, 30.0)  # this many deaths within this many seconds
STOP_S = 5.0
CLOSE_S = 0.3  # the companion has ended: what it said last is here, or it had nothing to close
SEAL_S = 5.0
SOCKET_PATH_BYTES = 107  # the kernel's limit for a Unix socket's path

BROKER = """\
# The listener line must stand before use_username_as_clientid, which would otherwise open TCP 1883.
listener 0 {socket}
use_username_as_clientid true
allow_anonymous false
password_file {run}/passwords
acl_file {run}/acl
max_queued_messages 10000
max_inflight_messages 64
message_size_limit 65536
persistence true
persistence_location {run}/
autosave_on_changes true
autosave_interval 1
log_dest file {run}/broker.log
log_type error
log_type warning
"""

# Spinning threads starve the neighbours: one voice loop shares two cores with a language model.
ENVIRONMENT = {
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
        self, config: Config, config_path: Path, services: Sequence[str] = VOICE, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self.config = config
        self.config_path = config_path
        self.services = tuple(services)
        self.run = config.paths.run
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._deaths: dict[str, list[float]] = {name: [] for name in ("broker", *services)}
        self._say = say
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
        """Start one process; its log is `run/NAME.log`."""
        command = (
            ["mosquitto", "-c", str(self.run / "broker.conf")]
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
                env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"} | dict(os.environ) | {"BESIDE_CONFIG": str(self.config_path)},
                start_new_session=True,
            )  # fmt: skip

    async def watch(self) -> None:
        """Start again what dies, until the house closes."""
        while not self._closing:
            await asyncio.sleep(0.1)
            for name, process in list(self.processes.items()):
                if process.poll() is not None:
                    await self._bring_back(name, process.returncode)

    async def _bring_back(self, name: str, code: int) -> None:
        if self._closing or code == 0:  # 0: it ended on purpose
            return
        deaths = self._deaths[name]
        deaths.append(time.monotonic())
        recent = [t for t in deaths if deaths[-1] - t < GIVE_UP[1]]
        if len(recent) >= GIVE_UP[0] or code == 78:  # 78: its configuration is wrong, starting again cannot help
            self._say(f"{name} cannot start (exit code {code}). {self.last_words(name)}")
            del self.processes[name]
            return
        self._say(f"{name} stopped (exit code {code}); starting it again.")
        await asyncio.sleep(RESTART_S)
        if not self._closing:
            self.start(name)

    def last_words(self, name: str) -> str:
        """The last log line of a service: its own sentence for people."""
        with contextlib.suppress(OSError):
            lines = self._logs[name].read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    def _prepare(self) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        self.run.chmod(0o700)  # passwords and the broker's store of words not yet written down
        self.config.paths.data.mkdir(parents=True, exist_ok=True)
        socket = self.config.bus_socket
        if len(os.fsencode(socket.absolute())) > SOCKET_PATH_BYTES:
            raise BusError(
                "bus-path-too-long", f"The folder {self.run} has too long a name for the bus.", "Set paths.run to a shorter one."
            )
        if _answers(socket):
            raise BusError("already-running", "Beside is already running here.", "Stop the other one first (Ctrl-C there).")
        socket.unlink(missing_ok=True)
        if shutil.which("mosquitto") is None:
            raise BusError("broker-missing", "The message broker Mosquitto is not installed.", "Run ./install.sh again.")
        names = [line.split()[1] for line in self._write_acl().splitlines() if line.startswith("user ")]
        self._write_passwords(names)
        conf = BROKER.format(socket=socket.absolute(), run=self.run.absolute())
        if os.geteuid() == 0:
            conf += "user root\n"  # else it would step down to its own user and could not read our run folder
        (self.run / "broker.conf").write_text(conf, encoding="utf-8")

    def _write_acl(self) -> str:
        made = subprocess.run(
            [sys.executable, "-m", "services.flow", "acl"], check=True, capture_output=True, text=True, cwd=ROOT, timeout=60
        ).stdout
        acl = self.run / "acl"
        acl.write_text(made, encoding="utf-8")
        acl.chmod(0o600)
        return made

    def _write_passwords(self, names: Sequence[str]) -> None:
        """Fresh random passwords at every start, one file a service, hashed for the broker."""
        accounts = self.run / "accounts"
        shutil.rmtree(accounts, ignore_errors=True)
        accounts.mkdir(mode=0o700)
        passwords = {name: secrets.token_urlsafe(24) for name in names}
        for name, password in passwords.items():
            (accounts / name).write_text(password, encoding="ascii")
        file = self.run / "passwords"
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}:{password}\n" for name, password in passwords.items()), encoding="ascii")
        subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True, capture_output=True, timeout=30)

    async def _until_socket(self) -> None:
        for _ in range(100):
            if _answers(self.config.bus_socket):
                return
            await asyncio.sleep(0.05)
        await self.__aexit__(None, None, None)
        raise BusError("broker-silent", "The message broker did not start.", f"Its log is {self.run / 'broker.log'}.")


def _answers(socket_path: Path) -> bool:
    import socket

    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(socket_path))
        except OSError:
            return False
        return True


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
