"""The conversation with the recorder about memories: asking for all of them, putting them away, forgetting.

The recorder owns the rows; the thinker hears them once after each start of either, keeps them in the library, and proves
that the index was built anew when something was forgotten.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from device.bus import Bus
from device.errors import BesideError
from device.events import (
    MemoriesRequest,
    MemoryErased,
    MemoryForgotten,
    MemoryKept,
    ReplyCancel,
    ReplyClause,
    ReplyEnded,
    ReplyRequest,
    StateChanged,
)
from services.thinker.library import Drawn, Library
from services.thinker.recall import Kept

log = logging.getLogger(__name__)
T = TypeVar("T")

ASK_AGAIN = 3  # times, for rows that were lost on the way
NOTHING_TOLD_S = 5.0  # after which a recorder that has told no memory has none
LIBRARY_AT_ONCE = 4  # rows; a reply waits for no more than these
ThinkerBus = Bus[
    ReplyRequest | ReplyCancel | MemoryKept | MemoryForgotten | StateChanged, ReplyClause | ReplyEnded | MemoriesRequest | MemoryErased
]


class Memory:
    """The library behind its thread, and the conversation with the recorder about it."""

    def __init__(self, bus: ThinkerBus, library: Library, thread: ThreadPoolExecutor) -> None:
        self._bus, self._library, self._thread = bus, library, thread
        self._todo: deque[MemoryKept | MemoryForgotten | None] = deque()  # None: nothing was told, so there is nothing
        self._more = asyncio.Event()
        self._to_come = -1  # rows the recorder still has to tell, counting down; -1 while it tells none
        self._asked_again = 0
        self._anything_told = False

    async def ask(self) -> None:
        """The recorder is there: let it tell every memory."""
        self._anything_told, self._to_come = False, -1
        await self._bus.say(MemoriesRequest())
        asyncio.get_running_loop().call_later(NOTHING_TOLD_S, self._perhaps_nothing)

    def told(self, event: MemoryKept) -> None:
        self._anything_told = True
        self._do(event)

    def forgotten(self, event: MemoryForgotten) -> None:
        self._do(event)

    async def draw(self, request: ReplyRequest) -> Drawn:
        """What fits the last words; nothing when the library is broken: a reply without memories is still a reply."""
        said = [text for e in request.history for text in (e.user, e.beside)]
        try:
            return await self._run(lambda: self._library.draw(
                who=request.who, session=request.session, said=said, last_words=request.last_words, intent=request.intent
            ))  # fmt: skip
        except BesideError as trouble:
            log.error("%s: %s", trouble.code, trouble.sentence)
            return Drawn((), (), ())

    async def put_away(self) -> None:
        """Rows into the library in small groups, in the order they were told, so that a reply never waits long."""
        learning = True
        while True:
            try:
                if self._todo:
                    await self._put_away_next()
                elif learning:
                    learning = await self._run(lambda: self._library.learn(LIBRARY_AT_ONCE))
                else:
                    self._more.clear()
                    await self._more.wait()
            except BesideError as trouble:
                log.error("%s: %s", trouble.code, trouble.sentence)

    async def _put_away_next(self) -> None:
        first = self._todo.popleft()
        if isinstance(first, MemoryForgotten):
            await self._forget(first)
        elif isinstance(first, MemoryKept):
            rows = [first]
            while self._todo and isinstance(self._todo[0], MemoryKept) and len(rows) < LIBRARY_AT_ONCE:
                rows.append(self._todo.popleft())  # type: ignore[arg-type]  # looked at in the line above
            await self._run(lambda: self._library.keep([_row(event) for event in rows]))
            await self._count(rows)
        else:
            await self._run(self._library.settle)

    async def _count(self, rows: list[MemoryKept]) -> None:
        """When all rows have been told the index is settled; if one was lost on the way, all are asked for again."""
        for event in rows:
            if event.left == 0 and self._to_come < 0:
                continue  # a new memory, not one of a series
            lost = self._to_come >= 0 and event.left != self._to_come
            self._to_come = event.left - 1
            if lost:
                self._to_come = -1
                self._asked_again += 1
                log.warning("memory: a row was lost on the way (%d)", self._asked_again)
                if self._asked_again <= ASK_AGAIN:
                    await self._bus.say(MemoriesRequest())
                return
            if event.left == 0:
                self._asked_again = 0
                await self._run(self._library.settle)

    async def _forget(self, event: MemoryForgotten) -> None:
        indexed = await self._run(lambda: self._library.forget(event.memories, event.everything))
        await self._bus.say(MemoryErased(request=event.request, indexed=indexed))
        log.info("memory: forgotten and rebuilt, %d left", indexed)

    def _perhaps_nothing(self) -> None:
        if not self._anything_told:
            self._do(None)

    def _do(self, item: MemoryKept | MemoryForgotten | None) -> None:
        self._todo.append(item)
        self._more.set()

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _row(event: MemoryKept) -> Kept:
    return Kept(event.memory, event.text, event.who, event.source, event.from_session, event.said_wall_s)
