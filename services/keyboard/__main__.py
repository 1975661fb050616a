"""The keyboard as a process: `python -m services.keyboard`."""

import sys

from device import lifecycle
from device.lifecycle import Life
from services.keyboard.service import type_and_read
from services.keyboard.terminal import PersonTerminal, PipeTerminal


async def wire(life: Life) -> None:
    person = sys.stdin.isatty()
    terminal = PersonTerminal(sys.stdin, sys.stdout) if person else PipeTerminal(sys.stdin, sys.stdout)
    async with life.bus(type_and_read) as bus:
        await life.ready(bus)
        await type_and_read(bus, terminal, life)


if __name__ == "__main__":
    lifecycle.main("keyboard", wire)
