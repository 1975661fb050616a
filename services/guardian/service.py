"""The guardian: owns the mouth's key, judges what was said, and takes the floor for help and crisis.

It hears every transcript and every proposed clause. Its decisions are pure (`judge`, `talk`, `gate`, `vet`); this file only
carries them to the bus, in this order: the alarm to the disk, then to the bus, then the words to the mouth.
"""

import asyncio
import logging
from collections import deque

from device.bus import Bus
from device.clock import new_id, now_ns
from device.errors import JournalError
from device.events import (
    AlarmRaised,
    Level,
    MemoryForgotten,
    SpeechEnded,
    SpeechProposed,
    SpeechRefused,
    SpeechRequest,
    SpeechStarted,
    SpeechStop,
    StopHeard,
    TranscriptFinal,
    TranscriptJudged,
    TranscriptPartial,
)
from device.lifecycle import Life
from services.guardian.alarms import AlarmStore
from services.guardian.gate import Gate, Verdict
from services.guardian.judge import Judgement, calls_for_help, judge, read
from services.guardian.library import Scripts
from services.guardian.rules import RuleSet
from services.guardian.talk import Decision, Talk, hear, silence, spoken

log = logging.getLogger(__name__)

HELP_QUIET_MS = 300  # a help word that is the whole partial counts after this much quiet
PROBE_S = 1.0
TICK_S = 0.5
REMEMBERED_TURNS = 64
UNANSWERED = ("floor.guardian", "floor.stop-word", "form.stale", "form.no-turn")  # no mark of an end follows: nobody waits for one
SCRIPT_INDEX = 1000  # the guardian's own sentences count from here, apart from the companion's clauses of the same turn

GuardianBus = Bus[
    TranscriptPartial | TranscriptFinal | SpeechProposed | StopHeard | SpeechStarted | SpeechEnded | MemoryForgotten,
    TranscriptJudged | AlarmRaised | SpeechRefused | SpeechRequest | SpeechStop,
]


async def guard(
    bus: Bus[
        TranscriptPartial | TranscriptFinal | SpeechProposed | StopHeard | SpeechStarted | SpeechEnded | MemoryForgotten,
        TranscriptJudged | AlarmRaised | SpeechRefused | SpeechRequest | SpeechStop,
    ],
    rules: RuleSet,
    scripts: Scripts,
    alarms: AlarmStore,
    life: Life,
) -> None:
    """Judges every transcript, releases or replaces every proposed clause, and speaks itself when it must."""
    guardian = Guardian(bus, rules, scripts, alarms, life)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(guardian.mind_the_silence())
        tasks.create_task(guardian.prove_alive())
        async for event in bus.hear():
            match event:
                case TranscriptPartial():
                    await guardian.partial(event)
                case TranscriptFinal():
                    await guardian.final(event)
                case SpeechProposed():
                    await guardian.carry_out(guardian.gate.propose(event, now_ns()))
                case StopHeard():
                    await guardian.stop(event)
                case SpeechStarted():
                    guardian.started(event)
                case SpeechEnded():
                    guardian.ended(event)
                case MemoryForgotten():
                    await guardian.forget(event)


class Guardian:
    """What the guardian remembers between events: where its own talk stands, and what is on its way to the loudspeaker."""

    def __init__(self, bus: GuardianBus, rules: RuleSet, scripts: Scripts, alarms: AlarmStore, life: Life) -> None:
        self._bus, self._rules, self._scripts, self._alarms, self._life = bus, rules, scripts, alarms, life
        self.gate = Gate(rules)
        self._talk = Talk()
        self._judged: deque[str] = deque(maxlen=REMEMBERED_TURNS)  # ids of finals: a redelivered one is not answered twice
        self._called: deque[str] = deque(maxlen=REMEMBERED_TURNS)  # turns whose partial was a call for help
        self._released_turn = ""  # the companion's turn that is on its way to the loudspeaker
        self._session = ""
        self._turn = ""

    async def partial(self, event: TranscriptPartial) -> None:
        """A call for help does not wait for the end of the turn; words over Beside's own voice silence it."""
        self._turn = event.turn
        if event.quiet_ms >= HELP_QUIET_MS and event.turn not in self._called:
            judged = calls_for_help(event.text, self._rules)
            if judged.level == "T1":
                self._called.append(event.turn)
                await self._answer(event, judged, event.text)
                return
        if event.text and self._released_turn and event.turn != self._released_turn:
            old, self._released_turn = self._released_turn, ""
            await self._bus.say(SpeechStop(session=event.session, turn=old, why="voice"))
            self.gate.take_back(old)

    async def final(self, event: TranscriptFinal) -> None:
        if event.id in self._judged:
            return
        self._judged.append(event.id)
        self._turn = event.turn
        judged = judge(event.text, event.alternatives, self._rules)
        if event.turn in self._called:  # the partial was answered already: say how it was judged, and keep the floor
            await self._say_judged(event, "T1", True, judged.rules)
            return
        await self._answer(event, judged, event.text)

    async def stop(self, event: StopHeard) -> None:
        await self._bus.say(SpeechStop(session=event.session, turn=event.turn, why="stop-word"))
        if self._released_turn:
            old, self._released_turn = self._released_turn, ""
            await self.carry_out(self.gate.close(old, "floor.stop-word"))

    def started(self, event: SpeechStarted) -> None:
        self._life.worked()

    def ended(self, event: SpeechEnded) -> None:
        self._talk = spoken(self._talk, now_ns())
        if event.last and event.turn == self._released_turn:
            self._released_turn = ""

    async def forget(self, event: MemoryForgotten) -> None:
        """The words of its alarms go too; a disk that refuses is told, and the recorder's search finds what is left."""
        try:
            await asyncio.to_thread(self._alarms.forget, "" if event.everything else event.forget_session, event.turns)
        except JournalError as trouble:
            await self._life.degraded(self._bus, trouble)

    async def carry_out(self, verdicts: list[Verdict]) -> None:
        """Release, replace or drop clauses."""
        for verdict in verdicts:
            clause = verdict.clause
            if verdict.fate == "release":
                self._released_turn = clause.turn
                await self._bus.say(SpeechRequest(
                    session=clause.session, turn=clause.turn, index=clause.index, text=clause.text, by="companion", last=clause.last,
                ))  # fmt: skip
                continue
            instead = self._scripts.instead[verdict.say] if verdict.say else ""
            log.info("a clause was not released: %s", verdict.rule)
            await self._bus.say(SpeechRefused(
                session=clause.session, turn=clause.turn, index=clause.index, text=clause.text, rule=verdict.rule, replaced_by=instead,
            ))  # fmt: skip
            if instead or (clause.last and verdict.rule not in UNANSWERED):
                await self._bus.say(SpeechRequest(
                    session=clause.session, turn=clause.turn, index=clause.index, text=instead, by="guardian", last=clause.last,
                ))  # fmt: skip

    async def mind_the_silence(self) -> None:
        """Nobody answers the direct question: that is an answer too."""
        while True:
            await asyncio.sleep(TICK_S)
            if (outcome := silence(self._talk, now_ns(), self._scripts)) is not None:
                self._talk, decision = outcome
                await self._take_floor(
                    TranscriptPartial(session=self._session, turn=self._turn, text="", quiet_ms=0), decision, ("silence",)
                )

    async def prove_alive(self) -> None:
        """The watchdog is fed by a probe that must be judged rightly."""
        while True:
            if read("i want to kill myself", self._rules).level == "T1":
                self._life.worked()
            await asyncio.sleep(PROBE_S)

    async def _answer(self, event: TranscriptPartial | TranscriptFinal, judged: Judgement, words: str) -> None:
        self._talk, decision = hear(self._talk, judged, words, now_ns(), self._scripts)
        if decision.takes_floor:
            await self.carry_out(self.gate.close(event.turn, "floor.guardian"))
            await self._take_floor(event, decision, judged.rules)
        if isinstance(event, TranscriptFinal):
            await self._say_judged(event, decision.level, decision.takes_floor, judged.rules)

    async def _say_judged(self, event: TranscriptFinal, level: Level, takes_floor: bool, rules: tuple[str, ...]) -> None:
        await self._bus.say(TranscriptJudged(
            session=event.session, turn=event.turn, level=level, rules=rules, takes_floor=takes_floor,
        ))  # fmt: skip
        await self.carry_out(self.gate.judged(event.turn, takes_floor, now_ns()))

    async def _take_floor(self, event: TranscriptPartial | TranscriptFinal, decision: Decision, rules: tuple[str, ...]) -> None:
        self._released_turn = ""
        if decision.alarm:
            await self._raise_alarm(AlarmRaised(
                session=event.session, turn=event.turn, alarm=new_id(), level="T1", kind=decision.alarm, rules=rules, words=event.text,
            ))  # fmt: skip
        for number, sentence in enumerate(decision.say):
            await self._bus.say(SpeechRequest(
                session=event.session, turn=event.turn, index=SCRIPT_INDEX + number, text=sentence, by="guardian",
                last=number == len(decision.say) - 1, urgent=number == 0,
            ))  # fmt: skip

    async def _raise_alarm(self, alarm: AlarmRaised) -> None:
        """To the disk first. A full disk must not silence the help itself: it is announced, and the words are spoken."""
        try:
            await asyncio.to_thread(self._alarms.raise_alarm, alarm)
        except JournalError as trouble:
            await self._life.degraded(self._bus, trouble)
        await self._bus.say(alarm)
