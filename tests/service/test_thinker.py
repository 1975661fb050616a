"""The thinker on a real broker, with a model and a library that tests can steer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from device.bus import Bus
from device.clock import now_ns
from device.config import Config, Thinker
from device.embedding import DIMENSIONS, Vector, Vectors
from device.errors import EngineError
from device.events import (
    Event,
    Exchange,
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
from services.thinker.exemplars import Bank
from services.thinker.library import Library
from services.thinker.mind import Limits, Written
from services.thinker.service import think

Said = ReplyRequest | ReplyCancel | MemoryKept | MemoryForgotten | StateChanged
Heard = ReplyClause | ReplyEnded | MemoriesRequest | MemoryErased


async def others(bus: Bus[Heard, Said]) -> None:
    """Companion and recorder in one."""


class FakeMind:
    """Says what it is told to, a word at a time; `slow_s` between two words."""

    name, family, context_tokens = "fake", "starter", 1024

    def __init__(self, text: str = " You miss your garden. The roses too, I think.", slow_s: float = 0.0) -> None:
        self.text, self.slow_s, self.prompts, self.warmed, self.fail = text, slow_s, list[str](), list[str](), False

    def count(self, text: str) -> int:
        return len(text.split())

    def write(self, prompt: str, limits: Limits, stop: threading.Event, hear: Callable[[str], None]) -> Written:
        self.prompts.append(prompt)
        if self.fail:
            raise RuntimeError("the engine broke")
        first, words = now_ns(), self.text.split(" ")[1:]
        for number, word in enumerate(words):
            if stop.wait(self.slow_s) or stop.is_set():
                return Written("cancelled", number, first, now_ns(), 10, 0)
            if now_ns() > limits.deadline_ns:
                return Written("limit", number, first, now_ns(), 10, 0)
            hear(f" {word}")
        return Written("complete", len(words), first, now_ns(), 10, 5)

    def warm(self, prefix: str, stop: threading.Event) -> int:
        self.warmed.append(prefix)
        return 1

    def probe(self) -> None:
        if self.fail:
            raise EngineError("model-failed", "It does not answer.")


class FakeIndex:
    """Vectors in a dictionary."""

    def __init__(self) -> None:
        self.held: dict[str, Vector] = {}

    def ids(self) -> set[str]:
        return set(self.held)

    def add(self, ids: list[str], vectors: Vectors) -> None:
        self.held |= dict(zip(ids, vectors, strict=True))

    def vectors(self, ids: list[str]) -> Vectors:
        return np.stack([self.held[i] for i in ids]) if ids else np.zeros((0, DIMENSIONS), np.float32)

    def nearest(self, vector: Vector, count: int) -> list[tuple[str, float]]:
        return sorted(((i, float(v @ vector)) for i, v in self.held.items()), key=lambda f: -f[1])[:count]

    def replace(self, ids: list[str], vectors: Vectors, forgotten: Vectors) -> None:
        self.held = {}
        self.add(ids, vectors)


def embed(text: str) -> Vector:
    """Meaning by letters: the same words lie near each other."""
    vector = np.zeros(DIMENSIONS, np.float32)
    for word in text.lower().split():
        vector[hash(word.strip(".,")) % DIMENSIONS] += 1
    unit: Vector = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return unit


@asynccontextmanager
async def thinking(broker, mind: FakeMind, index: FakeIndex | None = None, **settings: object) -> AsyncIterator[Bus[Heard, Said]]:  # type: ignore[no-untyped-def]  # a fixture
    """A running thinker and, in the with block, everybody else's end of the bus."""
    library = Library(embed, index or FakeIndex(), Bank([], embed), 2)
    async with Bus(broker.account("thinker"), think) as bus, Bus(broker.account("test"), others) as rest:
        task = asyncio.create_task(think(bus, mind, library, Thinker(**settings), Life("thinker", Config())))
        try:
            yield rest
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def request(turn: str = "t1", draft: int = 1, words: str = "i miss my garden", limit_ms: int = 5000, **more: object) -> ReplyRequest:
    return ReplyRequest(
        session="s1", turn=turn, draft=draft, who="Maria", history=(), face=None, feeling="sad", intent="consoling", last_words=words,
        limit_ms=limit_ms, **more,
    )  # fmt: skip


async def until(bus: Bus[Heard, Said], kind: type[Event], count: int = 1) -> list[Heard]:
    """Everything heard up to the `count`th event of `kind`."""
    heard: list[Heard] = []
    async with asyncio.timeout(10):
        async for event in bus.hear():
            heard.append(event)
            count -= isinstance(event, kind)
            if count == 0:
                return heard
    raise AssertionError("unreachable")


async def test_reply_comes_clause_by_clause_when_asked(broker):
    mind = FakeMind()
    async with thinking(broker, mind) as bus:
        await bus.say(request())
        heard = await until(bus, ReplyEnded)
    clauses = [e for e in heard if isinstance(e, ReplyClause)]
    assert [(c.index, c.text) for c in clauses] == [(0, "You miss your garden."), (1, "The roses too, I think.")]
    ended = heard[-1]
    assert isinstance(ended, ReplyEnded)
    assert (ended.why, ended.clauses, ended.tokens, ended.model, ended.turn) == ("complete", 2, 9, "fake", "t1")
    assert "<who> Maria" in mind.prompts[0]
    assert "<intent> consoling" in mind.prompts[0]


async def test_older_draft_is_cancelled_when_a_newer_one_comes(broker):
    async with thinking(broker, FakeMind(slow_s=0.1)) as bus:
        await bus.say(request(draft=1))
        await asyncio.sleep(0.15)
        await bus.say(request(draft=2))
        ended = [e for e in await until(bus, ReplyEnded, 2) if isinstance(e, ReplyEnded)]
    assert [(e.draft, e.why) for e in ended] == [(1, "cancelled"), (2, "complete")]


async def test_only_the_last_is_answered_when_many_drafts_come_at_once(broker):
    mind = FakeMind(slow_s=0.02)
    async with thinking(broker, mind) as bus:
        for draft in range(1, 6):
            await bus.say(request(draft=draft))
        ended = [e for e in await until(bus, ReplyEnded, 5) if isinstance(e, ReplyEnded)]
    assert [e.why for e in ended] == ["cancelled"] * 4 + ["complete"]
    assert ended[-1].draft == 5
    assert len(mind.prompts) <= 2


async def test_reply_stops_when_cancelled(broker):
    async with thinking(broker, FakeMind(slow_s=0.2)) as bus:
        await bus.say(request())
        await asyncio.sleep(0.25)
        await bus.say(ReplyCancel(turn="another", draft=9))
        await bus.say(ReplyCancel(turn="t1", draft=1))
        begin = now_ns()
        heard = await until(bus, ReplyEnded)
    assert heard[-1].why == "cancelled"
    assert (now_ns() - begin) / 1e6 < 150


async def test_reply_is_cut_at_a_sentence_when_the_time_is_over(broker):
    async with thinking(broker, FakeMind(slow_s=0.1)) as bus:
        await bus.say(request(limit_ms=650))
        heard = await until(bus, ReplyEnded)
    assert [e.text for e in heard if isinstance(e, ReplyClause)] == ["You miss your garden."]
    assert heard[-1].why == "limit"


async def test_a_reply_without_words_is_empty(broker):
    async with thinking(broker, FakeMind(text=" ** (sighs)")) as bus:
        await bus.say(request())
        assert (await until(bus, ReplyEnded))[-1].why == "empty"


async def test_next_request_is_answered_when_the_engine_failed_once(broker):
    mind = FakeMind()
    async with thinking(broker, mind) as bus:
        mind.fail = True
        await bus.say(request())
        assert (await until(bus, ReplyEnded))[-1].why == "failed"
        mind.fail = False
        await bus.say(request(turn="t2"))
        assert (await until(bus, ReplyEnded))[-1].why == "complete"


async def test_service_ends_with_the_engine_error_when_it_fails_again_and_again(broker):
    mind = FakeMind()
    mind.fail = True
    library = Library(embed, FakeIndex(), Bank([], embed), 2)
    async with Bus(broker.account("thinker"), think) as bus, Bus(broker.account("test"), others) as rest:
        task = asyncio.create_task(think(bus, mind, library, Thinker(), Life("thinker", Config())))
        for n in range(3):
            await rest.say(request(turn=f"t{n}"))
            await until(rest, ReplyEnded) if n < 2 else None
        with pytest.raises(EngineError):
            await asyncio.wait_for(task, 5)


async def test_next_prompt_is_read_ahead_when_a_reply_is_complete(broker):
    mind = FakeMind()
    async with thinking(broker, mind) as bus:
        await bus.say(request())
        await until(bus, ReplyEnded)
        await asyncio.sleep(0.8)
        later = request(turn="t2", words="yes").model_copy(
            update={"history": (Exchange(user="i miss my garden", beside="You miss your garden. The roses too, I think."),)}
        )
        await bus.say(later)
        await until(bus, ReplyEnded)
    assert mind.prompts[1].startswith(mind.warmed[0])
    assert "You miss your garden. The roses too, I think." in mind.warmed[0]


def memory(number: int, text: str, left: int = 0) -> MemoryKept:
    return MemoryKept(memory=f"m{number}", text=text, who="Maria", source="said", from_session="old", said_wall_s=1.0, left=left)


async def test_memories_are_asked_for_when_the_recorder_is_ready(broker):
    mind = FakeMind()
    async with thinking(broker, mind) as bus:
        await bus.announce(StateChanged(service="recorder", state="ready"))
        await until(bus, MemoriesRequest)
        await bus.say(memory(1, "my sister grew roses in my garden", left=1))
        await bus.say(memory(2, "my brother was a sailor", left=0))
        await asyncio.sleep(0.3)
        await bus.say(request(words="i miss my garden with the roses"))
        ended = (await until(bus, ReplyEnded))[-1]
    assert ended.memories == ("m1",)
    assert "<memory> You told me that your sister grew roses in your garden." in mind.prompts[0]


async def test_forgotten_memory_is_gone_when_erased_is_said(broker):
    mind, index = FakeMind(), FakeIndex()
    index.add(["stale"], embed("something forgotten while we were away")[None, :])
    async with thinking(broker, mind, index) as bus:
        await bus.say(memory(1, "my sister grew roses in my garden", left=1))
        await bus.say(memory(2, "my brother was a sailor", left=0))
        await asyncio.sleep(0.3)
        assert index.ids() == {"m1", "m2"}
        await bus.say(MemoryForgotten(request="f1", everything=False, memories=("m1",)))
        erased = (await until(bus, MemoryErased))[-1]
        assert (erased.request, erased.indexed) == ("f1", 1)
        assert index.ids() == {"m2"}
        await bus.say(request(words="i miss my garden with the roses"))
        ended = (await until(bus, ReplyEnded))[-1]
    assert ended.memories == ()


async def test_all_rows_are_asked_for_again_when_one_was_lost(broker):
    index = FakeIndex()
    async with thinking(broker, FakeMind(), index) as bus:
        for number, left in ((1, 3), (2, 2), (4, 0)):
            await bus.say(memory(number, f"row {number}", left))
        await until(bus, MemoriesRequest)
        for number in range(1, 5):
            await bus.say(memory(number, f"row {number}", 4 - number))
        await asyncio.sleep(0.3)
        assert index.ids() == {"m1", "m2", "m3", "m4"}


async def test_engine_holds_nothing_of_the_conversation_when_something_was_forgotten(broker):
    mind = FakeMind()
    async with thinking(broker, mind) as bus:
        await bus.say(request())
        await until(bus, ReplyEnded)
        await bus.say(MemoryForgotten(request="f1", everything=True, memories=()))
        assert (await until(bus, MemoryErased))[-1].indexed == 0
        await asyncio.sleep(0.6)
    assert mind.warmed[-1] == ""


async def test_service_ends_at_once_when_told_to_in_the_middle_of_a_reply(broker):
    async with thinking(broker, FakeMind(slow_s=0.3)) as bus:
        await bus.say(request())
        await asyncio.sleep(0.4)
        begin = now_ns()
    assert (now_ns() - begin) / 1e9 < 2
