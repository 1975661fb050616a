"""Is the house up: does the bus answer, and how does each service say it is?"""

import asyncio
from typing import Never

from device import broker, clock
from device.bus import Bus
from device.config import Config
from device.doctor.finding import Finding, Severity
from device.errors import BesideError
from device.events import StateChanged
from device.house import TYPED, VOICE
from device.lifecycle import Life

CODE, TITLE = "services", "Services"
WAIT_S = 1.0  # retained states arrive at once
VITAL = {"listener", "speaker", "guardian"}


async def states(bus: Bus[StateChanged, Never]) -> dict[str, StateChanged]:
    """The retained state of every service."""
    found: dict[str, StateChanged] = {}
    try:
        async with asyncio.timeout(WAIT_S):
            async for event in bus.hear():
                found[event.service] = event
    except TimeoutError:
        pass  # no end is announced: whatever is retained has come by then
    return found


async def _ask(config: Config) -> dict[str, StateChanged]:
    connection: Bus[StateChanged, Never] = Bus(Life("doctor", config).account(), states)
    async with connection as bus:
        return await states(bus)


def look(config: Config) -> Finding:
    if not broker.answers(config.bus_socket):
        return Finding(CODE, TITLE, "note", "Beside is not running here.", "Start it with: beside up")
    try:
        return judge(asyncio.run(_ask(config)), clock.boot_id())
    except BesideError as trouble:
        return Finding(CODE, TITLE, "broken", trouble.sentence, trouble.remedy)


def judge(told: dict[str, StateChanged], boot: str) -> Finding:
    """What the states say together. A state of another boot is what the broker's store remembers, not how a service is."""
    found = {name: state for name, state in told.items() if state.boot == boot}
    typed = "keyboard" in found and found["keyboard"].state != "gone"
    unwell = {name: _trouble(name, found.get(name)) for name in (TYPED if typed else VOICE) if _trouble(name, found.get(name))}
    if unwell:
        worst: Severity = "broken" if VITAL & unwell.keys() else "warning"
        remedies = dict.fromkeys(found[name].remedy for name in unwell if name in found and found[name].remedy)
        return Finding(CODE, TITLE, worst, " ".join(unwell.values()), " ".join(remedies) or "Stop Beside and start it again: beside up")
    return Finding(CODE, TITLE, "well", "All services are ready.")


def _trouble(name: str, state: StateChanged | None) -> str:
    if state is None:
        return f"The {name} has not said a word."
    return "" if state.state == "ready" else f"The {name} is {state.state}. {state.sentence}".strip()
