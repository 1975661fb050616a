"""Lets the person and Beside talk: waits until the house is ready, speaks each clip when the answer before it has ended,
ends the conversation, and writes what was measured.
"""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Never

from device.bus import Account, Bus
from device.clock import now_ns
from device.errors import BesideError, BusError, EngineError
from device.events import ConsentChanged, ConsentRequest, Event, FaceSeen, SessionSealed, StateChanged
from device.house import VOICE, House
from device.rehearsal.air_process import AirProcess
from device.rehearsal.person import Clip
from device.rehearsal.report import Ledger, Spoken, Turn, face_line
from device.rehearsal.stage import Stage
from device.rehearsal.telling import Telling
from device.tap import tap

READY_S = 120.0
TELL_S = 5.0
PAUSE_S = 0.7  # a person's breath between an answer and the next words
FIRST_WORDS_S = 0.5
HEARD_S = 6.0  # after the true end: longest endpoint, and some more
ANSWER_S = 30.0  # a silent Beside is given up after this
GOODBYE_S = 1.0  # after a goodbye the conversation closes by itself
SEALED_S = 2.0  # the house has waited already; the tap may be a moment behind
CONSENT_S = 10.0
FACE_S = 10.0
FATAL = {65, 70, 74, 78}  # exit codes that a new start cannot help: input, engine, device, configuration


async def consent(bus: Bus[ConsentChanged, ConsentRequest]) -> None:
    """A rehearsal is its own consent, for its own folder: camera, and keeping the emotions."""
    both: tuple[Literal["camera", "keep-emotions"], ...] = ("camera", "keep-emotions")
    for what in both:
        await bus.say(ConsentRequest(what=what, given=True, by="rehearsal"))
    async for event in bus.hear():
        if event.camera and event.keep_emotions:
            return


async def agree(account: Account, limit_s: float = CONSENT_S) -> None:
    """Give both consents; returns when they are in force. BusError when the recorder is silent for longer than the limit."""
    connection: Bus[ConsentChanged, ConsentRequest] = Bus(account, consent)
    try:
        async with asyncio.timeout(limit_s), connection as bus:
            await consent(bus)
    except TimeoutError as error:
        raise BusError(
            "recorder-silent", "The recorder has not answered, so the camera stays closed.", "Run it again, or without --camera."
        ) from error


@dataclass(slots=True)
class Seen:
    """What passed on the bus so far."""

    ledger: Ledger = field(default_factory=Ledger)
    states: dict[str, StateChanged] = field(default_factory=dict)
    sealed: SessionSealed | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, event: Event) -> None:
        match event:
            case StateChanged():
                self.states[event.service] = event
            case SessionSealed():
                self.sealed = event
        self.ledger.note(event)
        self.changed.set()

    async def until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """True once `done()`, which is looked at after every event and every 50 ms; False after the limit."""
        deadline = now_ns() + int(limit_s * 1e9)
        while not done():
            if now_ns() > deadline:
                return False
            self.changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), 0.05)
        return True


class Rehearsal:
    """One conversation in one house."""

    def __init__(self, stage: Stage, clips: Sequence[Clip], telling: Telling, camera: bool) -> None:
        self._stage, self._clips, self._telling, self._camera = stage, clips, telling, camera
        self._services = tuple(name for name in VOICE if camera or name != "watcher")
        self._house = House(stage.config, stage.config_path, self._services, telling.progress)
        self._seen = Seen()
        self._begin_ns = 0
        self.unanswered = 0
        self.unheard = 0

    @property
    def turns(self) -> list[Turn]:
        return self._seen.ledger.heard_turns()

    @property
    def sealed(self) -> bool:
        return self._seen.sealed is not None

    async def run(self, air: AirProcess) -> None:
        """Hold the whole conversation; BesideError when it cannot begin."""
        async with self._house:
            keeper = asyncio.create_task(self._house.watch())
            connection: Bus[Event, Never] = Bus(self._house.account("tap"), tap)
            async with connection as bus:
                listener = asyncio.create_task(self._listen(bus))
                try:
                    await self._until_ready()
                    self._begin_ns = await air.begin()
                    for clip in self._clips:
                        await self._exchange(air, clip)
                finally:  # after Ctrl-C too, what was said is sealed and written
                    keeper.cancel()
                    await self._close()
                    listener.cancel()
                    self._write()

    async def _listen(self, bus: Bus[Event, Never]) -> None:
        async for event in tap(bus):
            self._seen.note(event)
            self._telling.event(event)

    async def _until_ready(self) -> None:
        self._telling.progress(f"Starting {len(self._services)} services …")
        began_ns = now_ns()
        while waiting := self._not_ready():
            seconds = (now_ns() - began_ns) / 1e9
            if seconds > READY_S:
                raise EngineError(
                    "not-ready", f"Not ready after {READY_S:.0f} s: {', '.join(waiting)}.", self._house.last_words(waiting[0])
                )
            if seconds > TELL_S:
                self._telling.progress(f"  … {seconds:.0f} s, waiting for {', '.join(waiting)}")
            await self._seen.until(lambda: not self._not_ready(), TELL_S)
        for state in self._seen.states.values():
            if state.state == "degraded":
                self._telling.progress(f"  {state.service}: {state.sentence} {state.remedy}".rstrip())
        if self._camera:
            await self._open_eyes()
        self._telling.progress(f"Ready after {(now_ns() - began_ns) / 1e9:.1f} s.")

    def _not_ready(self) -> list[str]:
        """Who is still waking up; EngineError if somebody never will."""
        for name in self._services:
            self._check_alive(name)
        states = {name: state.state for name, state in self._seen.states.items()}
        return [name for name in self._services if states.get(name) not in ("ready", "degraded")]

    def _check_alive(self, name: str) -> None:
        process = self._house.processes.get(name)
        code = process.poll() if process else 1
        if code in FATAL or process is None:
            words = self._house.last_words(name).partition(" ERROR ")
            raise EngineError(f"{name}-cannot-start", words[2] or words[0] or f"The {name} cannot start.")

    async def _open_eyes(self) -> None:
        await agree(self._house.account("operator"))
        if not await self._seen.until(lambda: any(face.moods for face in self._seen.ledger.faces), FACE_S):
            self._telling.progress(f"  No mood of a face after {FACE_S:.0f} s; the conversation goes on without.")

    async def _exchange(self, air: AirProcess, clip: Clip) -> None:
        """One clip, and everything until the answer to it has ended."""
        await asyncio.sleep(PAUSE_S if self._seen.ledger.spoken else FIRST_WORDS_S)
        ledger = self._seen.ledger
        self._telling.person_speaks(clip)
        spoken = await air.say(clip)
        ledger.spoken.append(spoken)
        end_ns = max(spoken.end_ns, spoken.begin_ns + clip.ns(clip.pcm.size))
        await asyncio.sleep(max(0.0, (end_ns - now_ns()) / 1e9))
        heard = await self._seen.until(lambda: self._heard(spoken), HEARD_S)
        if not heard:
            self.unheard += 1
            self._telling.not_heard()
        answered = await self._seen.until(lambda: ledger.settled(now_ns()), ANSWER_S)
        for turn in ledger.of_clip(spoken):
            self._telling.turn_over(turn)
        if not answered:
            self.unanswered += 1
            self._telling.no_answer()

    def _heard(self, spoken: Spoken) -> bool:
        """The clip has become words, and nothing of it is still being understood."""
        return bool(self._seen.ledger.of_clip(spoken)) and now_ns() > spoken.end_ns + 200_000_000

    async def _close(self) -> None:
        """End the conversation as a shutdown does: the companion closes it, the recorder seals it."""
        if not self.turns or await self._seen.until(lambda: self.sealed, GOODBYE_S):
            return
        await self._house.close_conversation()
        if not await self._seen.until(lambda: self.sealed, SEALED_S):
            self._telling.progress("The conversation was not sealed in time; its record may be missing.")

    def _write(self) -> None:
        out = self._stage.out
        rows = (json.dumps(turn.row(), ensure_ascii=False) for turn in self.turns)
        (out / "turns.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        if self._seen.sealed is not None and Path(self._seen.sealed.log).is_file():
            shutil.copy(self._seen.sealed.log, out / "session.md")
        if self._camera:
            lines = [face_line(face, self._begin_ns or face.at_ns) for face in self._seen.ledger.faces if isinstance(face, FaceSeen)]
            (out / "emotions.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


async def hold(stage: Stage, clips: Sequence[Clip], telling: Telling, echo: bool, camera: bool) -> int:
    """The whole rehearsal; the exit code: 0, or 1 when something was heard and not answered, or nothing said was heard."""
    rehearsal = Rehearsal(stage, clips, telling, camera)
    try:
        async with AirProcess(stage.run, stage.out, echo) as air:
            await rehearsal.run(air)
    finally:
        stage.strike()
    echoes = [turn for turn in rehearsal.turns if turn.clip is None]
    telling.summary(rehearsal.turns, air.late_p99_ms, stage.out, air.talk)
    if echoes:
        telling.line(f"{len(echoes)} turn(s) that nobody spoke: Beside heard itself or a noise.")
    if rehearsal.unanswered:
        raise BesideError("silent", "Beside heard the person and stayed silent.", f"The logs are in {stage.out / 'logs'}.")
    if any(clip.text for clip in clips) and not rehearsal.turns:
        raise BesideError("deaf", "Beside understood nothing of what was said.", f"The logs are in {stage.out / 'logs'}.")
    return 0
