"""A real Mosquitto in a temporary folder, for every test of a service.

    async def test_something(broker):
        async with Bus(broker.account("speaker"), speak) as bus: ...

Every account has full rights, so that a test can play any other service; `make_broker(acl=text)` starts one with an access list.
"""

import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.broker import BROKER, program
from device.bus import Account

NAMES = ("listener", "watcher", "guardian", "companion", "thinker", "speaker", "recorder", "keyboard", "operator", "house", "tap", "test")
PASSWORD = secrets.token_urlsafe(12)  # one for all: the hashing of one password for each account would cost most of a test's time


class Broker:
    """One Mosquitto, configured as the house configures it; can be killed and started again."""

    def __init__(self, run: Path, acl: str | None = None) -> None:
        self.run = run
        self.socket = run / "bus.sock"
        self._process: subprocess.Popen[bytes] | None = None
        conf = BROKER.format(socket=self.socket, run=run)
        if acl is None:
            acl = "\n".join(f"user {name}\ntopic readwrite #" for name in NAMES) + "\n"
        (run / "acl").write_text(acl, encoding="utf-8")
        conf += "user root\n"  # only where root starts it: else it steps down and cannot read the folder
        (run / "broker.conf").write_text(conf, encoding="utf-8")
        self._write_passwords()
        (run / "accounts").mkdir(mode=0o700)
        for name in NAMES:
            (run / "accounts" / name).write_text(PASSWORD, encoding="ascii")  # for real service processes: paths.run is our folder
        for name in ("acl", "passwords"):
            (run / name).chmod(0o600)

    def account(self, name: str, durable: bool = False) -> Account:
        return Account(name, PASSWORD, self.socket, durable)

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        out = (self.run / "broker.out").open("ab")
        with out:
            self._process = subprocess.Popen([program() or "mosquitto", "-c", str(self.run / "broker.conf")], stdout=out, stderr=out)
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, (self.run / "broker.out").read_text()
            assert time.monotonic() < deadline, "Mosquitto did not start"
            time.sleep(0.01)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it: SIGTERM as systemd does, or SIGKILL as a power cut does."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def _write_passwords(self) -> None:
        """One hash for every account."""
        file = self.run / "passwords"
        file.write_text(f"test:{PASSWORD}\n", encoding="ascii")
        subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True, capture_output=True, timeout=30)
        hashed = file.read_text(encoding="ascii").strip().split(":", 1)[1]
        file.write_text("".join(f"{name}:{hashed}\n" for name in NAMES), encoding="ascii")


@pytest.fixture
def make_broker() -> Iterator[Callable[..., Broker]]:
    """Start brokers: `make_broker()` or `make_broker(acl=...)`; all are ended after the test."""
    if program() is None:
        pytest.skip("Mosquitto is not installed")
    made: list[Broker] = []

    def make(acl: str | None = None) -> Broker:
        run = Path(tempfile.mkdtemp(prefix="beside-bus-"))  # short: a Unix socket's path has at most 107 bytes
        made.append(Broker(run, acl))
        made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        broker.stop()
        shutil.rmtree(broker.run, ignore_errors=True)


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    """A running broker on which every account may do everything."""
    return make_broker()
