"""Mosquitto under systemd, with a watchdog: `python -m device.broker_watch --run /run/beside`.

Mosquitto says when it has started but feeds no watchdog, so one that hangs would be left hanging, and every service with it.
This process starts it, greets it each second as a stranger without an account, and takes its refusal as proof that it works.
Only the standard library is imported: it stands beside the broker for as long as that lives.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from device.supervisor import notify_systemd

PROBE_S = 1.0
FIRST_PROBE_S = 0.05  # until it is ready
ANSWER_S = 1.0
STOP_S = 4.0
# MQTT 3.1.1: CONNECT, clean session, 5 s keep-alive, no name; and the first byte of every answer to it, CONNACK.
GREETING = bytes((0x10, 12, 0, 4)) + b"MQTT" + bytes((4, 2, 0, 5, 0, 0))
CONNACK = 0x20


def answers(socket_path: Path) -> bool:
    """Whether the broker answers a greeting. Any answer counts: a stranger is refused, which only a working broker does."""
    with socket.socket(socket.AF_UNIX) as greeter:
        greeter.settimeout(ANSWER_S)
        try:
            greeter.connect(str(socket_path))
            greeter.sendall(GREETING)
            answer = greeter.recv(4)
        except OSError:
            return False
    return answer[:1] == bytes((CONNACK,))


def watch(broker: "subprocess.Popen[bytes]", socket_path: Path) -> int:
    """Feed the watchdog for as long as the broker lives and answers; its exit code."""
    ready = False
    while broker.poll() is None:
        if answers(socket_path):
            notify_systemd("WATCHDOG=1" if ready else "READY=1\nWATCHDOG=1")
            ready = True
        try:
            broker.wait(PROBE_S if ready else FIRST_PROBE_S)
        except subprocess.TimeoutExpired:
            continue
    return broker.returncode


def run(folder: Path) -> int:
    """Start the broker of this run folder and stay with it; 0 when told to stop, else its own exit code."""
    socket_path = folder / "bus.sock"
    socket_path.unlink(missing_ok=True)  # left by one that was killed
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}  # ready is when it answers
    environment["PATH"] = environment.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"  # where Debian keeps it
    broker = subprocess.Popen(["mosquitto", "-c", str(folder / "broker.conf")], env=environment)
    told = []

    def stop(number: int, frame: FrameType | None) -> None:
        told.append(number)
        broker.terminate()  # it saves what is queued

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    began = time.monotonic()
    code = watch(broker, socket_path)
    if told:
        return 0
    print(f"bus: ERROR the broker stopped after {time.monotonic() - began:.0f} s (exit code {code}).", file=sys.stderr)
    return code if code > 0 else 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m device.broker_watch", description="Our own Mosquitto, watched.")
    parser.add_argument("--run", type=Path, required=True, help="folder that `python -m device.broker prepare` filled")
    sys.exit(run(parser.parse_args().run))


if __name__ == "__main__":
    main()
