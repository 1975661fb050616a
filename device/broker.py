"""Our own Mosquitto: its folder, its configuration, its access list and its passwords, fresh at every start of the house."""

import argparse
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from device.config import ROOT, Config
from device.errors import BusError

SOCKET_PATH_BYTES = 107  # the kernel's limit for a Unix socket's path
SYSTEM_PROGRAMS = "/usr/sbin:/usr/local/sbin"  # Debian keeps Mosquitto there, and an ordinary user's PATH does not look there

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
log_type error
log_type warning
"""


def prepare(config: Config) -> None:
    """Everything that `mosquitto -c RUN/broker.conf` needs; BusError when the house cannot stand here."""
    run, socket_path = config.paths.run, config.bus_socket
    if len(os.fsencode(socket_path.absolute())) > SOCKET_PATH_BYTES:
        raise BusError("bus-path-too-long", f"The folder {run} has too long a name for the bus.", "Set paths.run to a shorter one.")
    if program() is None or shutil.which("mosquitto_passwd") is None:
        raise BusError("broker-missing", "The message broker Mosquitto is not installed.", "Run ./install.sh again.")
    if answers(socket_path):
        raise BusError("already-running", "Beside is already running here.", "Stop the other one first (Ctrl-C there).")
    _make_folder(run)
    fill(run, socket_path, log=f"file {run.absolute()}/broker.log")


def fill(run: Path, socket_path: Path, log: str) -> None:
    """Access list, fresh passwords and configuration into a folder that is there. `log` is Mosquitto's `log_dest`."""
    names = [line.split()[1] for line in _write_acl(run).splitlines() if line.startswith("user ")]
    _write_passwords(run, names)
    conf = BROKER.format(socket=socket_path.absolute(), run=run.absolute()) + f"log_dest {log}\n"
    if os.geteuid() == 0:
        conf += "user root\n"  # else it would step down to its own user and could not read our run folder
    (run / "broker.conf").write_text(conf, encoding="utf-8")


def program() -> str | None:
    """Mosquitto's program, or None if it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=SYSTEM_PROGRAMS)


def answers(socket_path: Path) -> bool:
    """Whether somebody listens there; a socket file without a listener was left by a process that was killed."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(socket_path))
        except OSError:
            return False
        return True


def _make_folder(run: Path) -> None:
    """Ours alone: passwords, and the broker's store of words not yet written down. Never close a folder that others use."""
    try:
        run.mkdir(parents=True, exist_ok=True, mode=0o700)
        if run.stat().st_mode & 0o077 == 0:
            return
        shared = any(run.iterdir()) and not (run / "accounts").is_dir()
    except OSError as error:
        raise BusError(
            "run-folder-unusable", f"The folder {run} cannot be used.", "Set paths.run to a folder that can be written."
        ) from error
    if shared:
        raise BusError(
            "run-folder-shared", f"The folder {run} holds other things and is open to other users.", "Set paths.run to a folder of its own."
        )
    run.chmod(0o700)


def _write_acl(run: Path) -> str:
    try:
        made = subprocess.run(
            [sys.executable, "-m", "services.flow", "acl"], check=True, capture_output=True, text=True, cwd=ROOT, timeout=60
        ).stdout
    except subprocess.SubprocessError as error:
        raise BusError("parts-missing", "A part of Beside is missing or damaged.", "Run ./install.sh again.") from error
    acl = run / "acl"
    acl.write_text(made, encoding="utf-8")
    acl.chmod(0o600)
    return made


def _write_passwords(run: Path, names: Sequence[str]) -> None:
    """Fresh random passwords, one file a service, hashed for the broker."""
    accounts = run / "accounts"
    shutil.rmtree(accounts, ignore_errors=True)
    accounts.mkdir(mode=0o700)
    passwords = {name: secrets.token_urlsafe(24) for name in names}
    for name, password in passwords.items():
        (accounts / name).write_text(password, encoding="ascii")
    file = run / "passwords"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}:{password}\n" for name, password in passwords.items()), encoding="ascii")
    subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True, capture_output=True, timeout=30)


def main() -> None:
    """`prepare --run DIR`: on an appliance, before the broker's unit starts. The folder is there and has its owner already."""
    parser = argparse.ArgumentParser(prog="python -m device.broker", description="Prepare the bus: accounts, access list, configuration.")
    parser.add_argument("what", choices=("prepare",))
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the run folder, made by tmpfiles.d")
    run = parser.parse_args().run
    try:
        fill(run, run / "bus.sock", log="stderr")
    except BusError as trouble:
        print(f"{trouble.sentence} {trouble.remedy}", file=sys.stderr)
        sys.exit(trouble.exit_code)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"The folder {run} cannot be prepared ({type(error).__name__}). Run ./install.sh again.", file=sys.stderr)
        sys.exit(BusError.exit_code)


if __name__ == "__main__":
    main()
