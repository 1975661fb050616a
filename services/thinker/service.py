"""The thinker: one reply at a time, clause by clause, and the memories that it may rest on.

A newer draft, a newer turn or a cancel ends the reply in the making within one token. While Beside speaks, the beginning of
the next prompt is evaluated ahead. The model works in one thread of its own, memory and meaning in another; what they raise
ends one reply, never the service. Three failures in a row end the process: the supervisor brings a fresh one.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from device import clock
from device.bus import Bus
from device.config import Thinker
from device.errors import BesideError, EngineError
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
from device.lifecycle import Life
from services.thinker.clauses import Splitter, spoken, unfinished, without_strangers
from services.thinker.library import Drawn, Library
from services.thinker.memories import Memory, ThinkerBus
from services.thinker.mind import Limits, Mind, Written
from services.thinker.prompt import Ask, Exchange, fit, full, stable

log = logging.getLogger(__name__)
T = TypeVar("T")
Why = Literal["complete", "cancelled", "limit", "empty", "failed"]

PROBE_S = 5.0
AHEAD_AFTER_S = 0.4  # a newer draft of the same turn comes sooner than this
FAILURES = 3
MARGIN_TOKENS = 4


async def think(
    bus: Bus[
        ReplyRequest | ReplyCancel | MemoryKept | MemoryForgotten | StateChanged, ReplyClause | ReplyEnded | MemoriesRequest | MemoryErased
    ],
    mind: Mind,
    library: Library,
    config: Thinker,
    life: Life,
) -> None:
    """Writes replies, and finds the memories that belong to them."""
    with ThreadPoolExecutor(1, "mind") as mind_thread, ThreadPoolExecutor(1, "library") as library_thread:
        memory = Memory(bus, library, library_thread)
        desk = Desk(bus, mind, memory, config, life, mind_thread)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(memory.put_away())
                tasks.create_task(desk.prove_alive())
                tasks.create_task(desk.work())
                async for event in bus.hear():
                    match event:
                        case ReplyRequest():
                            desk.request(event)
                        case ReplyCancel():
                            desk.cancel(event)
                        case MemoryKept():
                            memory.told(event)
                        case MemoryForgotten():
                            memory.forgotten(event)
                            await desk.forget()
                        case StateChanged(service="recorder", state="ready"):
                            await memory.ask()
        except ExceptionGroup as group:
            troubles = [error for error in group.exceptions if isinstance(error, BesideError)]
            raise (troubles[0] if troubles else group) from group
        finally:
            desk.stop_all()


@dataclass(slots=True)
class Job:
    """One request on the desk; `stop` reaches into the engine's thread."""

    request: ReplyRequest
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Reply:
    """What has been said of a reply so far."""

    clauses: int = 0
    drawn: Drawn = field(default_factory=lambda: Drawn((), (), ()))
    said: list[str] = field(default_factory=list)
    known: str = ""  # every word that the prompt was given about this person


class Desk:
    """The request in hand, and the one that waits for it to end."""

    def __init__(self, bus: ThinkerBus, mind: Mind, memory: Memory, config: Thinker, life: Life, thread: ThreadPoolExecutor) -> None:
        self._bus, self._mind, self._memory, self._config, self._life, self._thread = bus, mind, memory, config, life, thread
        self._waiting: deque[Job] = deque()
        self._arrived = asyncio.Event()
        self._in_hand: Job | None = None
        self._ahead = threading.Event()  # set: stop evaluating ahead
        self._failures = 0

    def request(self, event: ReplyRequest) -> None:
        """The newest request is the one that counts."""
        self.stop_all()
        self._waiting.append(Job(event))
        self._arrived.set()

    def cancel(self, event: ReplyCancel) -> None:
        for job in self._all():
            if job.request.turn == event.turn and job.request.draft <= event.draft:
                job.stop.set()

    async def forget(self) -> None:
        """What the engine still holds of the conversation goes, too."""
        self.stop_all()
        try:
            await self._engine(lambda: self._mind.warm("", threading.Event()))
        except BesideError as trouble:
            self._failed(trouble)

    def stop_all(self) -> None:
        self._ahead.set()
        for job in self._all():
            job.stop.set()

    async def work(self) -> None:
        """Request by request, for as long as the service lives."""
        while True:
            await self._arrived.wait()
            while self._waiting:
                self._in_hand = job = self._waiting.popleft()
                await self._answer(job)
                self._in_hand = None
                self._life.worked()
            self._arrived.clear()

    async def prove_alive(self) -> None:
        """The watchdog is fed by a token that the engine really computed; a stuck engine does not answer."""
        while True:
            await asyncio.sleep(PROBE_S)
            if self._in_hand is None:
                try:
                    await self._engine(self._mind.probe)
                    self._life.worked()
                except BesideError as trouble:
                    self._failed(trouble)

    def _all(self) -> list[Job]:
        return [*([self._in_hand] if self._in_hand else []), *self._waiting]

    async def _answer(self, job: Job) -> None:
        request, reply = job.request, Reply()
        if job.stop.is_set():  # overtaken before it began: the context keeps what it holds
            await self._end(request, reply, "cancelled", None, 0)
            return
        start_ns = request.at_ns if request.boot == clock.boot_id() else clock.now_ns()
        try:
            written = await self._write(job, reply, start_ns + request.limit_ms * clock.NS_PER_MS)
            self._failures = 0
        except BesideError as trouble:
            self._failed(trouble)
            await self._end(request, reply, "failed", None, start_ns)
            return
        why: Why = written.why if reply.clauses or written.why == "cancelled" else "empty"
        await self._end(request, reply, why, written, start_ns)
        log.info(
            "reply: %s, %d clauses, prompt %d tokens, %d evaluated, %.0f tokens/s",
            why, reply.clauses, written.prompt_tokens, written.evaluated_tokens, written.tokens_per_s,
        )  # fmt: skip
        if reply.clauses and why != "cancelled" and not self._waiting:
            await self._read_ahead(request, reply)

    async def _write(self, job: Job, reply: Reply, deadline_ns: int) -> Written:
        request = job.request
        history = tuple((e.user, e.beside) for e in request.history)
        reply.drawn = await self._memory.draw(request)
        ask = Ask(
            request.who, history, reply.drawn.memories, request.face or "", request.feeling, request.intent, reply.drawn.exemplars,
            request.last_words,
        )  # fmt: skip
        reply.known = ask.known
        room = self._mind.context_tokens - self._config.reply_tokens - MARGIN_TOKENS
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def write() -> Written:
            try:
                fitted = fit(self._mind.family, ask, self._mind.count, room)
                prompt = full(self._mind.family, fitted)
                limits = Limits(self._config.reply_tokens, deadline_ns)
                return self._mind.write(prompt, limits, job.stop, lambda text: _tell(loop, pieces, text))
            finally:
                _tell(loop, pieces, None)

        writing = asyncio.ensure_future(self._engine(write))
        splitter = Splitter()
        try:
            while (piece := await pieces.get()) is not None:
                for clause in splitter.feed(piece):
                    await self._say(job, reply, clause)
        except BaseException:
            job.stop.set()  # the service ends: so must the thread
            await asyncio.wait({writing})
            raise
        written = await writing
        rest = splitter.end()
        # What a limit cut in the middle of a sentence is left unsaid, unless nothing else would be heard.
        if written.why == "complete" or (written.why == "limit" and (not unfinished(rest) or not reply.clauses)):
            await self._say(job, reply, rest)
        return written

    async def _say(self, job: Job, reply: Reply, clause: str) -> None:
        text = spoken(without_strangers(clause, reply.known))
        if not text or job.stop.is_set():
            return
        request = job.request
        await self._bus.say(ReplyClause(session=request.session, turn=request.turn, draft=request.draft, index=reply.clauses, text=text))
        reply.clauses += 1
        reply.said.append(text)
        self._life.worked()

    async def _end(self, request: ReplyRequest, reply: Reply, why: Why, written: Written | None, start_ns: int) -> None:
        first = clock.ms_between(start_ns, written.first_ns) if written and written.first_ns else 0.0
        await self._bus.say(ReplyEnded(
            session=request.session, turn=request.turn, draft=request.draft, why=why, clauses=reply.clauses, first_token_ms=max(0.0, first),
            tokens=written.tokens if written else 0, tokens_per_s=written.tokens_per_s if written else 0.0, model=self._mind.name,
            memories=reply.drawn.ids,
        ))  # fmt: skip

    async def _read_ahead(self, request: ReplyRequest, reply: Reply) -> None:
        """Evaluate what the next prompt will begin with, if this reply is heard to its end."""
        self._arrived.clear()
        self._ahead.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), AHEAD_AFTER_S)
        if self._waiting or self._ahead.is_set():
            return  # someone speaks again, or something was forgotten
        history: tuple[Exchange, ...] = (*((e.user, e.beside) for e in request.history), (request.last_words, " ".join(reply.said)))
        ask = Ask(request.who, history, (), "", request.feeling, request.intent, (), "")
        room = self._mind.context_tokens - self._config.reply_tokens - MARGIN_TOKENS

        def warm() -> int:
            kept = fit(self._mind.family, ask, self._mind.count, room).history
            return self._mind.warm(stable(self._mind.family, request.who, kept), self._ahead)

        try:
            await self._engine(warm)
        except BesideError as trouble:
            self._failed(trouble)

    async def _engine(self, call: Callable[[], T]) -> T:
        """Run in the engine's thread; whatever an engine raises becomes an EngineError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except (BesideError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise EngineError(
                "model-failed", f"The language model failed ({type(error).__name__}).", "It is started again by itself."
            ) from error

    def _failed(self, trouble: BesideError) -> None:
        self._failures += 1
        log.error("%s: %s", trouble.code, trouble.sentence)
        if self._failures >= FAILURES:
            raise trouble


def _tell(loop: asyncio.AbstractEventLoop, pieces: "asyncio.Queue[str | None]", text: str | None) -> None:
    loop.call_soon_threadsafe(pieces.put_nowait, text)
