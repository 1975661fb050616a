"""The bus's watchdog with a real Mosquitto: fed by its answers, hungry when it hangs, gone when it is gone."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.config import ROOT

SILENCE_S = 3.0


class Watched:
    """`device.broker_watch` as systemd would run it, and what it tells the supervisor."""

    def __init__(self, run: Path) -> None:
        self.run = run
        prepare = [sys.executable, "-m", "device.broker", "prepare", "--run", str(run)]
        subprocess.run(prepare, check=True, cwd=ROOT, timeout=60)
        self._notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notes.bind(str(run / "notify"))
        command = [sys.executable, "-m", "device.broker_watch", "--run", str(run)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ) | {"NOTIFY_SOCKET": str(run / "notify")})

    def told(self, within_s: float = 10.0) -> str:
        """The next message to the supervisor, or nothing."""
        self._notes.settimeout(within_s)
        try:
            return self._notes.recv(200).decode()
        except TimeoutError:
            return ""

    @property
    def broker(self) -> int:
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def close(self) -> None:
        self._notes.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


@pytest.fixture
def watched() -> Iterator[Watched]:
    run = Path(tempfile.mkdtemp(prefix="bus-"))  # short: a socket's path has at most 107 bytes
    watched = Watched(run)
    yield watched
    watched.close()
    shutil.rmtree(run)


def test_broker_is_ready_when_it_answers_and_feeds_its_watchdog(watched: Watched) -> None:
    assert watched.told() == "READY=1\nWATCHDOG=1"
    assert watched.told() == "WATCHDOG=1"
    assert (watched.run / "bus.sock").is_socket()
    for name in ("acl", "passwords", "accounts/guardian", "accounts/operator"):
        assert (watched.run / name).stat().st_size > 0
    assert not (watched.run / "broker.log").exists()  # the supervisor keeps the log


def test_broker_that_hangs_feeds_nothing_until_it_goes_on(watched: Watched) -> None:
    watched.told()
    os.kill(watched.broker, signal.SIGSTOP)
    while watched.told(SILENCE_S):  # one may be on its way
        pass
    os.kill(watched.broker, signal.SIGCONT)
    assert watched.told() == "WATCHDOG=1"


def test_broker_that_dies_takes_its_watcher_along(watched: Watched) -> None:
    watched.told()
    os.kill(watched.broker, signal.SIGKILL)
    assert watched.process.wait(5) != 0


def test_told_to_stop_it_stops_the_broker_first(watched: Watched) -> None:
    watched.told()
    broker = watched.broker
    watched.process.terminate()
    assert watched.process.wait(5) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(broker, 0)
