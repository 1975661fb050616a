"""The recorder as a process, and what the command line asks of it: `python -m services.recorder [sessions …|consent …]`."""

import sys

from device import lifecycle
from device.journal import Journal
from device.lifecycle import Life
from services.recorder import commands
from services.recorder.service import record
from services.recorder.shelf import Shelf


async def wire(life: Life) -> None:
    journal = Journal(Shelf.of(life.config.paths).journal)
    async with life.bus(record, durable=True) as bus:
        await record(bus, journal, life)


if __name__ == "__main__":
    if sys.argv[1:2] in (["sessions"], ["consent"]):
        sys.exit(commands.main(sys.argv[1:]))
    lifecycle.main("recorder", wire)
