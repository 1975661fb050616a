"""The house in the foreground: `beside up` and `beside try --typed`."""

import asyncio
import contextlib
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Never

from device import clock
from device.bus import Bus
from device.config import Config
from device.errors import BusError
from device.events import StateChanged
from device.house import TYPED, VOICE, House

READY_NS = 60_000_000_000
LOOK_S = 0.2


async def states(bus: Bus[StateChanged, Never]) -> None:
    """Only names what `up` hears: the services' states."""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def until_ready(house: House, bus: Bus[StateChanged, Never]) -> None:
    """Return when every service of the house is ready, degraded or left down; BusError names those that are silent after a minute.

    The broker's store may still tell how a service was in an earlier life: only what was said in this one counts.
    """
    awake: set[str] = set()
    deadline_ns = house.began_ns + READY_NS
    while waiting := set(house.services) - awake - house.left_down:
        if clock.now_ns() > deadline_ns:
            names = ", ".join(sorted(waiting))
            raise BusError("not-ready", f"Not ready after a minute: {names}.", f"Look at the logs in {house.run}, then: beside doctor")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                async for event in bus.hear():
                    if is_of_this_life(event, house) and event.state in ("ready", "degraded"):
                        say(told(event))
                        awake.add(event.service)
                    if set(house.services) <= awake | house.left_down:
                        return


def is_of_this_life(event: StateChanged, house: House) -> bool:
    """Whether a service said this since the house began."""
    return event.boot == clock.boot_id() and event.at_ns >= house.began_ns


def told(event: StateChanged) -> str:
    """One line for the terminal."""
    return f"  {event.service:<10} {event.state:<9} {event.sentence} {event.remedy}".rstrip()


async def _follow(house: House, bus: Bus[StateChanged, Never]) -> None:
    """Wait until all are ready, then tell every change that matters."""
    await until_ready(house, bus)
    without = f" without: {', '.join(sorted(house.left_down))}" if house.left_down else ""
    say(f"Beside is listening{without} (ready in {(clock.now_ns() - house.began_ns) / 1e9:.1f} s). Ctrl-C ends it.")
    async for event in bus.hear():
        if is_of_this_life(event, house) and event.state != "starting" and event.code != "stopped":
            say(told(event))


async def up(config: Config, path: Path) -> int:
    """Every service and the bus, until Ctrl-C; BusError when the broker or a service cannot come up."""
    say("Beside is starting.")
    async with House(config, path, VOICE, say) as house:
        connection: Bus[StateChanged, Never] = Bus(house.account("house"), states)
        async with connection as bus:
            await _first_of(house.watch(), _follow(house, bus))
    return 0


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until the first ends or fails; end the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def typed(config: Config, path: Path) -> int:
    """A conversation by keyboard; ends when the keyboard's process ends, with its exit code."""
    async with House(config, path, TYPED, say, ends_with="keyboard") as house:
        await house.watch()
        return house.processes["keyboard"].returncode
