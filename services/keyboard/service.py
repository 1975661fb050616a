"""The keyboard: stands in for listener and speaker, so that one can talk with Beside by typing.

A line typed is a turn, and what guardian releases is read at once, so all of it counts as heard. Between programs the
promise is stricter: one utterance a line in, one reply a line out, in order.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

from device.bus import Bus
from device.clock import new_id, now_ns
from device.errors import EngineError
from device.events import SpeechEnded, SpeechRequest, SpeechStarted, StateChanged, TranscriptFinal, VoiceStarted
from device.lifecycle import Life
from services.keyboard.terminal import Terminal

NEEDED = frozenset({"recorder", "guardian", "companion", "thinker"})
READY_S = 90.0
REPLY_S = 30.0  # longer than the thinker's own limit; then the silence is told
LONGEST_CHARS = 2000
SILENCE = "(Beside did not answer.)"

Hears = SpeechRequest | StateChanged
Says = VoiceStarted | TranscriptFinal | SpeechStarted | SpeechEnded


async def type_and_read(
    bus: Bus[SpeechRequest | StateChanged, VoiceStarted | TranscriptFinal | SpeechStarted | SpeechEnded], terminal: Terminal, life: Life
) -> None:
    """Reads what is typed, shows what Beside says; returns at the end of input."""
    desk = Desk(bus, terminal, life)
    reading = asyncio.create_task(desk.read_replies())
    try:
        await desk.until_all_are_ready()
        terminal.welcome()
        while (words := await terminal.next_line()) is not None:
            if words:
                await desk.exchange(words)
    finally:
        reading.cancel()


@dataclass(slots=True)
class Desk:
    """One person typing: the turn under way and its reply."""

    bus: Bus[Hears, Says]
    terminal: Terminal
    life: Life
    turn: str = ""
    waiting_for: set[str] = field(default_factory=lambda: set(NEEDED))
    all_ready: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    clauses: list[str] = field(default_factory=list)

    async def until_all_are_ready(self) -> None:
        self.terminal.progress("Beside is waking up …")
        try:
            await asyncio.wait_for(self.all_ready.wait(), READY_S)
        except TimeoutError:
            names = ", ".join(sorted(self.waiting_for))
            raise EngineError("not-ready", f"Not ready after {READY_S:.0f} s: {names}.", "Run: beside doctor") from None

    async def exchange(self, words: str) -> None:
        """One turn: say the words, wait for the whole reply, show it as one line (or as it comes, to a person)."""
        self.turn, self.clauses = new_id(), []
        self.answered.clear()
        if len(words) > LONGEST_CHARS:
            self.terminal.progress(f"That line has {len(words):,} characters; Beside takes the first {LONGEST_CHARS:,}.")
        start_ns = now_ns()
        await self.bus.say(VoiceStarted(turn=self.turn))
        await self.bus.say(TranscriptFinal(
            turn=self.turn, text=words[:LONGEST_CHARS], confidence=1.0, engine="keyboard",
            speech_start_ns=start_ns, speech_end_ns=start_ns, decided_ns=start_ns, decided_by="typed",
        ))  # fmt: skip
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.answered.wait(), REPLY_S)
        if not self.clauses:  # no answer came, or guardian let nothing of it pass
            self.clauses.append(SILENCE)
            self.terminal.clause(SILENCE, first=True)
        self.turn = ""
        self.terminal.reply_over(" ".join(self.clauses))

    async def read_replies(self) -> None:
        async for event in self.bus.hear():
            match event:
                case StateChanged(state="ready" | "degraded"):
                    self._ready(event)
                case SpeechRequest():
                    await self._read(event)
                case _:
                    pass

    def _ready(self, event: StateChanged) -> None:
        if event.service in self.waiting_for and event.state == "degraded":
            self.terminal.progress(f"{event.service}: {event.sentence} {event.remedy}".rstrip())
        self.waiting_for.discard(event.service)
        if not self.waiting_for:
            self.all_ready.set()

    async def _read(self, event: SpeechRequest) -> None:
        """Reading takes no time: started and ended are one moment, and every word was heard."""
        await self.bus.say(SpeechStarted(
            session=event.session, turn=event.turn, index=event.index, text=event.text, duration_ms=0, first_sample_ns=now_ns()
        ))  # fmt: skip
        await self.bus.say(SpeechEnded(
            session=event.session, turn=event.turn, index=event.index, text=event.text, heard_text=event.text, heard_ms=0,
            interrupted=False, last=event.last, engine="keyboard",
        ))  # fmt: skip
        self.life.worked()
        if event.text:
            self.clauses.append(event.text)
            self.terminal.clause(event.text, first=len(self.clauses) == 1)
        if event.last and event.turn in ("", self.turn):
            self.answered.set()
