"""Run a service: arguments, logging, configuration, bus, READY, watchdog, signals, exit codes.

A service's `__main__.py` hands its wiring to `main`; the wiring builds the engines and calls the one service function:

    async def wire(life: Life) -> None:
        async with life.bus(listen) as bus:
            microphone = open_microphone(life.config.listener.microphone)
            await life.ready(bus)
            await listen(bus, microphone, ...)

    if __name__ == "__main__":
        lifecycle.main("listener", wire)

The watchdog is fed by `life.worked()`, called where real work was done (a frame read, a probe answered), never by a timer.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from device import config as config_module
from device.bus import Account, Bus
from device.config import Config
from device.errors import BesideError, BusError
from device.events import StateChanged

log = logging.getLogger(__name__)


def notify_systemd(message: str) -> None:
    """One datagram to the supervisor (sd_notify); nothing happens where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.connect("\0" + address[1:] if address.startswith("@") else address)
        out.sendall(message.encode())


class Life:
    """What a running service may ask of the box it stands in."""

    def __init__(self, service: str, config: Config) -> None:
        self.service = service
        self.config = config

    def account(self, name: str | None = None, durable: bool = False) -> Account:
        """Our bus account; the password comes from systemd's credential or from the run folder."""
        name = name or self.service
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        path = Path(folder) / "bus-password" if folder else self.config.paths.run / "accounts" / name
        try:
            password = path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise BusError(
                "bus-password-missing", f"The bus password of '{name}' cannot be read.", "Is Beside up? Try: beside up"
            ) from error
        return Account(name, password, self.config.bus_socket, durable)

    def bus(self, service: Callable[..., Any], durable: bool = False) -> Bus[Any, Any]:
        """The bus for the service function, whose annotation says what it hears and says."""
        return Bus(self.account(durable=durable), service)

    async def ready(self, bus: Bus[Any, Any]) -> None:
        notify_systemd("READY=1")
        await bus.announce(StateChanged(service=self.service, state="ready"))

    async def degraded(self, bus: Bus[Any, Any], trouble: BesideError) -> None:
        """Still running, but unwell: the state says what is wrong and what helps."""
        log.error("%s: %s", trouble.code, trouble.sentence)
        await bus.announce(StateChanged(
            service=self.service, state="degraded", code=trouble.code, sentence=trouble.sentence, remedy=trouble.remedy
        ))  # fmt: skip

    def worked(self) -> None:
        """Real work was done just now."""
        notify_systemd("WATCHDOG=1")


async def _until_told(service: str, wire: Callable[[Life], Awaitable[None]], life: Life) -> None:
    task = asyncio.ensure_future(wire(life))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("%s: told to stop", service)
    finally:
        notify_systemd("STOPPING=1")


def main(service: str, wire: Callable[[Life], Awaitable[None]], argv: list[str] | None = None) -> None:
    """Parse `--config`, run until told to stop, and leave with the exit code of what went wrong."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}", description=f"Beside's {service}, as one process.")
    parser.add_argument("--config", type=Path, help="configuration file (default: $BESIDE_CONFIG or the installed one)")
    parser.add_argument("--verbose", action="store_true", help="log more, never the person's words")
    options = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO, stream=sys.stderr, format=f"{service}: %(levelname)s %(message)s"
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    try:
        life = Life(service, config_module.load(options.config))
        asyncio.run(_until_told(service, wire, life))
    except BesideError as trouble:
        log.error("%s %s", trouble.sentence, trouble.remedy)
        sys.exit(trouble.exit_code)
