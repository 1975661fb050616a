"""Run a service: arguments, logging, configuration, bus, READY, watchdog, signals, exit codes.

A service's `__main__.py` hands its wiring to `main`; the wiring builds the engines and calls the one service function:

    async def wire(life: Life) -> None:
        async with life.bus(listen) as bus:         # says that the service is starting
            microphone = open_microphone(life.config.listener.microphone)
            await life.ready(bus)
            await listen(bus, microphone, ...)

    if __name__ == "__main__":
        lifecycle.main("listener", wire)

The watchdog is fed by `life.worked()`, called where real work was done (a frame read, a probe answered), never by a timer.
"""

import argparse
import asyncio
import faulthandler
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiomqtt

from device import config as config_module
from device.bus import Account, Bus, leave_word
from device.config import ROOT, Config
from device.errors import BesideError, BusError, ProgramError
from device.events import StateChanged
from device.supervisor import notify_systemd as notify_systemd  # services take it from here

log = logging.getLogger(__name__)

LAST_WORD_S = 2.0
INTERRUPTED = 130  # as a shell reports Ctrl-C


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
        except (OSError, UnicodeDecodeError) as error:
            raise BusError(
                "bus-password-missing", f"The bus password of '{name}' cannot be read.", "Is Beside up? Try: beside up"
            ) from error
        return Account(name, password, self.config.bus_socket, durable)

    def bus(self, service: Callable[..., Any], durable: bool = False) -> Bus[Any, Any]:
        """The bus for the service function, whose annotation says what it hears and says. The service is `starting` until it is ready."""
        starting = StateChanged(service=self.service, state="starting")
        return Bus(self.account(durable=durable), service, starting)

    async def ready(self, bus: Bus[Any, Any]) -> None:
        notify_systemd("READY=1")
        await bus.announce(StateChanged(service=self.service, state="ready"))

    async def degraded(self, bus: Bus[Any, Any], trouble: BesideError) -> None:
        """Still running, but unwell: the state says what is wrong and what helps."""
        log.error("%s: %s", trouble.code, trouble.sentence)
        notify_systemd("READY=1")  # started, though unwell: the state says so, and nobody waits for it in vain
        await bus.announce(StateChanged(
            service=self.service, state="degraded", code=trouble.code, sentence=trouble.sentence, remedy=trouble.remedy
        ))  # fmt: skip

    def worked(self) -> None:
        """Real work was done just now."""
        notify_systemd("WATCHDOG=1")


def trouble_of(error: BaseException, service: str) -> BesideError:
    """What to tell people about an exception: our own error if there is one in it, else a fault of the program."""
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, BesideError):
            return leaf
    log.error("a fault in the program: %s", "; ".join(place_of(leaf) for leaf in leaves))
    return ProgramError(
        "crashed",
        f"The {service} stopped because of a fault in its program.",
        "It is started again by itself; if this repeats, run: beside doctor",
    )


def place_of(error: BaseException) -> str:
    """Class and places of an exception, innermost first. Never its message: that may hold what the person said."""
    frames = [
        f"{Path(f.filename).relative_to(ROOT) if Path(f.filename).is_relative_to(ROOT) else Path(f.filename).name}:{f.lineno} in {f.name}"
        for f in reversed(traceback.extract_tb(error.__traceback__))
    ]
    return f"{type(error).__name__} at {' < '.join(frames) or 'an unknown place'}"


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _log_stray(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception that nobody awaited: asyncio's own report would print its message."""
    error = context.get("exception")
    log.error("a stray fault: %s", place_of(error) if isinstance(error, BaseException) else context.get("message", ""))


def _log_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        log.error("a fault in a thread: %s", place_of(args.exc_value))


async def _until_told(wire: Callable[[Life], Awaitable[None]], life: Life) -> int:
    """Run the wiring until it ends, fails or is told to stop; the exit code."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_stray)
    told = asyncio.Event()
    task = asyncio.ensure_future(wire(life))

    def tell() -> None:
        told.set()
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        await task
    except asyncio.CancelledError as error:
        if not told.is_set():  # something inside was cancelled and nobody told us to stop
            return await _fail(life, trouble_of(error, life.service))
        log.info("told to stop")
    except Exception as error:  # noqa: BLE001  # the last place where anything can be said about it
        return await _fail(life, trouble_of(error, life.service))
    finally:
        notify_systemd("STOPPING=1")
    return 0


async def _fail(life: Life, trouble: BesideError) -> int:
    """Tell the log and, if the bus is there, everybody else, why this service is gone."""
    log.error("%s %s", trouble.sentence, trouble.remedy)
    gone = StateChanged(service=life.service, state="gone", code=trouble.code, sentence=trouble.sentence, remedy=trouble.remedy)
    try:
        async with asyncio.timeout(LAST_WORD_S):
            await leave_word(life.account(), gone)
    except (aiomqtt.MqttError, TimeoutError, BusError) as error:
        log.warning("nobody else could be told (%s)", type(error).__name__)
    return trouble.exit_code


def _set_up_logging(service: str, verbose: bool) -> None:
    """To standard error, for the journal. Libraries may only warn: some of them log the text they are given."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=f"{service}: %(levelname)s %(message)s", force=True)
    for ours in ("device", "services", "models", "__main__"):
        logging.getLogger(ours).setLevel(logging.DEBUG if verbose else logging.INFO)
    threading.excepthook = _log_thread


def main(service: str, wire: Callable[[Life], Awaitable[None]], argv: list[str] | None = None) -> None:
    """Parse `--config`, run until told to stop, and leave with the exit code of what went wrong."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}", description=f"Beside's {service}, as one process.")
    parser.add_argument("--config", type=Path, help="configuration file (default: $BESIDE_CONFIG or the installed one)")
    parser.add_argument("--verbose", action="store_true", help="log more, never the person's words")
    options = parser.parse_args(argv)
    faulthandler.enable()  # an engine that crashes in C leaves its place in the log
    _set_up_logging(service, options.verbose)
    try:
        life = Life(service, config_module.load(options.config))
        code = asyncio.run(_until_told(wire, life))
    except BesideError as trouble:  # the configuration
        log.error("%s %s", trouble.sentence, trouble.remedy)
        code = trouble.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code:
        sys.exit(code)
