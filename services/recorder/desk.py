"""The journal's own thread, and patience: what cannot be written now is tried again until it can.

The event that waits is not acknowledged, so the broker holds it and all that follow; a full disk loses nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from device.bus import Bus
from device.errors import JournalError
from device.journal import Journal
from device.lifecycle import Life

log = logging.getLogger(__name__)
T = TypeVar("T")
RETRY_S = 1.0
HOPELESS = {"journal-newer", "journal-row-refused"}  # another try cannot help


class Desk:
    """Runs blocking work on the journal, one piece after another, off the event loop."""

    def __init__(self, journal: Journal, bus: Bus[Any, Any], life: Life) -> None:
        self._journal, self._bus, self._life = journal, bus, life
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._unwell = "starting"  # the code of the trouble that was announced last; empty when ready

    async def run(self, work: Callable[[Journal], T]) -> T:
        """The result of `work`, however long the disk makes us wait; raises only what waiting cannot cure."""
        while True:
            try:
                result = await asyncio.get_running_loop().run_in_executor(self._thread, work, self._journal)
            except JournalError as trouble:
                if trouble.code in HOPELESS:
                    raise
                await self._say_unwell(trouble)
                self._life.worked()  # the disk has answered, if only with a no: waiting for it is the work now
                await asyncio.sleep(RETRY_S)
            else:
                await self._say_well()
                return result

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.close)
        self._thread.shutdown()

    async def _say_unwell(self, trouble: JournalError) -> None:
        if self._unwell != trouble.code:
            self._unwell = trouble.code
            await self._life.degraded(self._bus, trouble)

    async def _say_well(self) -> None:
        """Ready again, unless the journal had to begin anew: that stays to be seen until the next start."""
        self._life.worked()
        notice = self._journal.notice
        if notice is not None:
            await self._say_unwell(notice)
        elif self._unwell:
            self._unwell = ""
            await self._life.ready(self._bus)
