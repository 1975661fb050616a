"""A recorder that runs on a real broker, and everyone else in one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from device.bus import Bus
from device.config import Config, Paths
from device.events import (
    ConsentChanged,
    ConsentRequest,
    Event,
    FaceSeen,
    ForgetDone,
    ForgetRequest,
    MemoriesRequest,
    MemoryErased,
    MemoryForgotten,
    MemoryKept,
    MemoryNoted,
    SessionClosed,
    SessionOpened,
    SessionSealed,
    SpeechEnded,
    StateChanged,
    TranscriptFinal,
    TranscriptJudged,
    TurnPlanned,
)
from device.journal import Journal
from device.journal_reading import open_reader
from device.lifecycle import Life
from services.recorder.service import record
from services.recorder.shelf import Shelf

Answers = MemoryKept | MemoryForgotten | ForgetDone | SessionSealed | ConsentChanged | StateChanged
Others = (
    TranscriptFinal | TranscriptJudged | SessionOpened | TurnPlanned | SpeechEnded | FaceSeen | MemoryNoted | MemoriesRequest
    | ForgetRequest | MemoryErased | ConsentRequest | SessionClosed | StateChanged
)  # fmt: skip


async def neighbours(bus: Bus[Answers, Others]) -> None:
    """Everyone else, in one."""


class World:
    """A recorder that runs, and everyone else."""

    def __init__(self, broker, data) -> None:
        self.broker, self.data = broker, data
        self.config = Config(paths=Paths(data=data, run=broker.run))
        self.shelf = Shelf(data)
        self.heard: list[Event] = []
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def neighbours(self) -> AsyncIterator["World"]:
        async with Bus(self.broker.account("test"), neighbours) as self.bus:
            task = asyncio.create_task(self._collect())
            yield self
            task.cancel()

    @contextlib.asynccontextmanager
    async def recorder(self) -> AsyncIterator[asyncio.Task[None]]:
        life = Life("recorder", self.config)
        async with life.bus(record, durable=True) as bus:
            task = asyncio.create_task(record(bus, Journal(self.shelf.journal), life))
            yield task
            task.cancel()
            await asyncio.wait({task})

    async def _collect(self) -> None:
        async for event in self.bus.hear():
            self.heard.append(event)
            self._news.set()

    async def until(self, wanted, timeout_s: float = 10.0):
        """The first event heard so far, or from now on, for which `wanted` holds."""
        async with asyncio.timeout(timeout_s):
            seen = 0
            while True:
                for event in self.heard[seen:]:
                    seen += 1
                    if wanted(event):
                        return event
                self._news.clear()
                await self._news.wait()

    async def becomes(self, true, timeout_s: float = 5.0) -> None:
        """Until something on the disk is so: the recorder does not announce every row."""
        async with asyncio.timeout(timeout_s):
            while not true():  # noqa: ASYNC110 - a file tells nobody when it changes
                await asyncio.sleep(0.05)

    async def say(self, *events: Event) -> None:
        for event in events:
            await self.bus.say(event)

    def rows(self, sql: str):
        db = open_reader(self.shelf.journal)
        with contextlib.closing(db):
            return db.execute(sql).fetchall()


def turn_of(session: str, turn: str, text: str, reply: str, heard: str | None = None) -> list[Event]:
    heard = reply if heard is None else heard
    feeling: dict[str, object] = {"feeling": "lonely", "feeling_share": 0.6, "intent": "consoling", "why": "near", "face": "sad"}
    said: dict[str, object] = {"text": reply, "heard_text": heard, "interrupted": heard != reply}
    return [
        TranscriptFinal(turn=turn, text=text, engine="test", speech_start_ns=1, speech_end_ns=2, decided_by="silence"),
        TranscriptJudged(turn=turn, level="none"),
        TurnPlanned(session=session, turn=turn, user_text=text, **feeling),
        SpeechEnded(session=session, turn=turn, index=0, heard_ms=900, last=True, engine="flite", **said),
    ]


def talk(session: str, *turns: list[Event]) -> list[Event]:
    between = [event for turn in turns for event in turn]
    return [SessionOpened(session=session, who="Anna"), *between, SessionClosed(session=session, why="goodbye")]
