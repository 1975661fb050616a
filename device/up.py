"""The house in the foreground: `beside up` and `beside try --typed`."""

import asyncio
import sys
from pathlib import Path
from typing import Never

from device.bus import Bus
from device.clock import now_ns
from device.config import Config
from device.errors import BusError
from device.events import StateChanged
from device.house import TYPED, VOICE, House

READY_S = 60.0


async def states(bus: Bus[StateChanged, Never]) -> None:
    """Only names what `up` hears: the services' states."""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def until_ready(bus: Bus[StateChanged, Never], wanted: set[str], tell: bool = True) -> None:
    """Return when every wanted service is ready or degraded; BusError names those that are not within a minute."""
    waiting = set(wanted)
    try:
        async with asyncio.timeout(READY_S):
            async for event in bus.hear():
                if event.state in ("ready", "degraded"):
                    waiting.discard(event.service)
                    if tell and (event.state == "degraded" or event.service in wanted):
                        say(f"  {event.service:<10} {event.state}  {event.sentence} {event.remedy}".rstrip())
                if not waiting:
                    return
    except TimeoutError:
        names = ", ".join(sorted(waiting))
        raise BusError(
            "not-ready", f"Not ready after a minute: {names}.", "Look at the logs in the run folder, then: beside doctor"
        ) from None


async def up(config: Config, path: Path) -> int:
    """Every service and the bus, until Ctrl-C."""
    began = now_ns()
    house = House(config, path, VOICE, say)
    async with house:
        keeper = asyncio.create_task(house.watch())
        connection: Bus[StateChanged, Never] = Bus(house.account("house"), states)
        async with connection as bus:
            await until_ready(bus, set(VOICE))
            say(f"Beside is listening (ready in {(now_ns() - began) / 1e9:.1f} s). Ctrl-C ends it.")
            async for event in bus.hear():
                if event.state == "degraded":
                    say(f"  {event.service}: {event.sentence} {event.remedy}".rstrip())
        await keeper
    return 0


async def typed(config: Config, path: Path) -> int:
    """A conversation by keyboard; ends when the keyboard's process ends."""
    house = House(config, path, TYPED, say)
    async with house:
        keeper = asyncio.create_task(house.watch())
        try:
            while house.processes["keyboard"].poll() is None:  # noqa: ASYNC110  # a process has no event to wait for
                await asyncio.sleep(0.05)
        finally:
            keeper.cancel()
        return house.processes["keyboard"].returncode
