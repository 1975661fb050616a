"""Is the house up: does the bus answer, and how does each service say it is?"""

import asyncio
from typing import Never

from device.bus import Bus
from device.config import Config
from device.doctor.finding import Finding, Severity
from device.errors import BesideError
from device.events import StateChanged
from device.lifecycle import Life

CODE, TITLE = "services", "Services"
WAIT_S = 1.0  # retained states arrive at once


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
    connection: Bus[StateChanged, Never] = Bus(Life("tap", config).account("tap"), states)
    async with connection as bus:
        return await states(bus)


def look(config: Config) -> Finding:
    if not config.bus_socket.exists():
        return Finding(CODE, TITLE, "note", "Beside is not running here.", "Start it with: beside up")
    try:
        found = asyncio.run(_ask(config))
    except BesideError as trouble:
        return Finding(CODE, TITLE, "broken", trouble.sentence, trouble.remedy)
    if not found:
        return Finding(CODE, TITLE, "broken", "The bus answers, but no service does.", "Stop Beside and start it again: beside up")
    unwell = [state for state in found.values() if state.state != "ready"]
    if unwell:
        worst: Severity = "broken" if any(s.service in ("listener", "speaker", "guardian") for s in unwell) else "warning"
        sentence = " ".join(f"The {s.service} is {s.state}. {s.sentence}".strip() for s in unwell)
        return Finding(CODE, TITLE, worst, sentence, " ".join(dict.fromkeys(s.remedy for s in unwell if s.remedy)))
    return Finding(CODE, TITLE, "well", f"All {len(found)} services are ready.")
