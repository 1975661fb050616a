"""`beside tap`: every event of a running house, live and readable. Sees everything, may say nothing."""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Never

from device import broker
from device import config as config_module
from device.bus import Bus, union_of
from device.errors import BesideError, BusError
from device.events import Event, StateChanged, all_events
from device.lifecycle import Life

HEADER = set(Event.model_fields)
COLOURS = {"voice": 36, "transcript": 36, "stop": 36, "face": 35, "alarm": 31, "reply": 33, "speech": 32, "state": 90}


async def tap(bus: Bus[Event, Never]) -> AsyncIterator[Event]:
    """Every event as it passes."""
    async for event in bus.hear():
        yield event


tap.__annotations__["bus"] = Bus[union_of(all_events()), Never]  # type: ignore[misc]  # the union of all 30-odd classes, written once


def line(event: Event, colour: bool) -> str:
    """One readable line: time, topic, the event's own fields."""
    name = f"state {event.service}" if isinstance(event, StateChanged) else event.topic
    own = {key: value for key, value in event.model_dump(mode="json").items() if key not in HEADER and not _says_nothing(value)}
    facts = "  ".join(f"{key}={_plain(value)}" for key, value in own.items())
    shade = COLOURS.get(name.split(".")[0].split(" ")[0], 37)
    label = f"\033[{shade}m{name:<19}\033[0m" if colour else f"{name:<19}"
    return f"{event.at_ns / 1e9:12.3f}  {label} {facts}"


def _says_nothing(value: object) -> bool:
    return value is None or value is False or value == "" or value == []


def _plain(value: object) -> str:
    """A value on one line; control characters in a text could rewrite the terminal."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else " " for c in text)


async def _follow(as_json: bool) -> None:
    life = Life("tap", config_module.load())
    if not broker.answers(life.config.bus_socket):
        raise BusError("not-running", "Beside is not running here.", "Start it with: beside up")
    connection: Bus[Event, Never] = Bus(life.account("tap"), tap)
    with alone(life.config.paths.run / "accounts" / "tap"):
        async with connection as bus:
            async for event in tap(bus):
                text = json.dumps({"topic": event.topic, **event.model_dump(mode="json")}) if as_json else line(event, sys.stdout.isatty())
                print(text, flush=True)


@contextlib.contextmanager
def alone(password: Path) -> Iterator[None]:
    """One account is one connection: two taps would throw each other out without end, so the second is refused. BusError."""
    with password.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusError("tap-busy", "Another beside tap is looking already.", "Close it first.") from error
        yield


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="beside tap", description="Show every event of a running Beside, live. Ctrl-C ends it.")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    options = parser.parse_args(argv)
    try:
        asyncio.run(_follow(options.json))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # `beside tap | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        return 0
    except BesideError as trouble:
        print(trouble.sentence, trouble.remedy, file=sys.stderr)
        return trouble.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
