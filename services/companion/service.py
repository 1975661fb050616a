"""The companion: conducts the conversation.

It carries events between the bus and two pure rooms: the turn's state table (`turn.py`: whose turn it is, what is proposed
when) and the dialogue policy (`policy/`: which feeling the words carry, which intent the answer takes).
"""

import asyncio
import datetime
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from device.bus import Bus
from device.clock import NS_PER_MS, boot_id, new_id, now_ns
from device.config import Config
from device.embedding import Vector
from device.errors import JournalError
from device.events import (
    FaceLabel,
    FaceSeen,
    MemoryForgotten,
    MemoryNoted,
    ReplyCancel,
    ReplyClause,
    ReplyEnded,
    ReplyRequest,
    SessionClosed,
    SessionOpened,
    SpeechEnded,
    SpeechProposed,
    SpeechRefused,
    SpeechStarted,
    StateChanged,
    StopHeard,
    TranscriptEmpty,
    TranscriptFinal,
    TranscriptJudged,
    TranscriptPartial,
    TurnPlanned,
    VoiceStarted,
)
from device.lifecycle import Life
from services.companion import moments as m
from services.companion.diary import Diary
from services.companion.history import History
from services.companion.library import Lines
from services.companion.policy.feeling import Feeling, Feelings
from services.companion.policy.intent import Choice, choose
from services.companion.policy.manner import objection
from services.companion.policy.noting import worth_remembering
from services.companion.turn import Limits, Phase, Turn, deadline_ns, step, words_to_answer

log = logging.getLogger(__name__)

TICK_S = 0.05
PROBE_S = 5.0
WAKING_NS = 90_000_000_000  # a thinker of which nothing was heard is given this long after our own start
STALE_NS = 30_000_000_000  # an answer to words older than this would only confuse
DEADLINE_MS = 5000  # a clause that guardian has not released by then is stale
FACE_FRESH_NS = 10_000 * NS_PER_MS
FACE_STRONG = 0.6
UNHEARD_WITHIN_NS = 60_000 * NS_PER_MS
PLANS = 16  # remembered: a draft's plan is the final's
REMEMBERED = 64

Embed = Callable[[str], Vector]
CompanionBus = Bus[
    VoiceStarted | TranscriptPartial | TranscriptFinal | TranscriptEmpty | StopHeard | FaceSeen | TranscriptJudged
    | ReplyClause | ReplyEnded | SpeechRefused | SpeechStarted | SpeechEnded | MemoryForgotten | StateChanged,
    SessionOpened | TurnPlanned | ReplyRequest | ReplyCancel | SpeechProposed | MemoryNoted | SessionClosed,
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What the policy decided for some words."""

    feeling: Feeling
    choice: Choice
    face: FaceLabel | None


async def converse(
    bus: Bus[
        VoiceStarted | TranscriptPartial | TranscriptFinal | TranscriptEmpty | StopHeard | FaceSeen | TranscriptJudged
        | ReplyClause | ReplyEnded | SpeechRefused | SpeechStarted | SpeechEnded | MemoryForgotten | StateChanged,
        SessionOpened | TurnPlanned | ReplyRequest | ReplyCancel | SpeechProposed | MemoryNoted | SessionClosed,
    ],
    feelings: Feelings, embed: Embed, lines: Lines, diary: Diary, config: Config, life: Life,
) -> None:  # fmt: skip
    """Plans every turn, asks the thinker, and proposes what should be said."""
    companion = Companion(bus, feelings, embed, lines, diary, config, life)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(companion.keep_time())
            tasks.create_task(companion.prove_alive())
            async for event in bus.hear():
                await companion.take(event)
    finally:
        await companion.close("shutdown")


class Companion:
    """One person's conversation: the table's state, the session, the history. One event at a time (`_one`)."""

    def __init__(self, bus: CompanionBus, feelings: Feelings, embed: Embed, lines: Lines, diary: Diary, config: Config, life: Life) -> None:
        self._bus, self._feelings, self._embed, self._lines, self._diary = bus, feelings, embed, lines, diary
        self._config, self._life = config, life
        self._limits = Limits(config.companion.slow_thinker_ms, config.companion.reply_limit_ms)
        self._one = asyncio.Lock()
        self._state = Turn()
        self._session = ""
        self._history = History()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._reply: list[str] = []  # clauses of the reply at work that manner let pass
        self._reply_of = ("", 0)
        self._seen: deque[str] = deque(maxlen=REMEMBERED)  # ids of what must arrive: redelivered ones are no news
        self._judged: OrderedDict[str, TranscriptJudged] = OrderedDict()
        self._face: FaceSeen | None = None
        self._thinker = "unknown"
        self._began_ns = now_ns()
        self._goodbye_turn = ""
        self._machine_line: tuple[str, str] = ("", "")  # (turn, sentence) that Beside is a machine, until it was heard
        self._unheard_at_ns: int | None = None
        self._active_ns = now_ns()

    async def take(self, event: object) -> None:
        """One event of the bus."""
        async with self._one:
            match event:
                case VoiceStarted():
                    self._active_ns = now_ns()
                    await self._apply(m.Voice(event.turn))
                case TranscriptPartial():
                    await self._apply(m.Partial(event.turn, event.text, event.quiet_ms))
                case TranscriptFinal():
                    await self._final(event)
                case TranscriptEmpty():
                    await self._empty(event)
                case TranscriptJudged():
                    await self._judgement(event)
                case StopHeard():
                    await self._apply(m.Stop())
                case FaceSeen():
                    self._face = event
                case ReplyClause():
                    await self._clause(event)
                case ReplyEnded():
                    await self._reply_ended(event)
                case SpeechStarted():
                    await self._apply(m.Started(event.turn, event.index, event.duration_ms))
                case SpeechRefused():
                    await self._apply(m.Refused(event.turn, event.index, bool(event.replaced_by)))
                case SpeechEnded():
                    await self._heard(event)
                case MemoryForgotten():
                    self._forget(event)
                case StateChanged(service="thinker"):
                    await self._thinker_is(event)
                case _:
                    pass

    async def close(self, why: str) -> None:
        """End the session, if there is one."""
        if self._session:
            session, self._session = self._session, ""
            closed = SessionClosed(session=session, why="goodbye" if why == "goodbye" else "quiet" if why == "quiet" else "shutdown")
            await self._bus.say(closed)
            self._history, self._goodbye_turn = History(), ""

    async def keep_time(self) -> None:
        """The timers of the turn, and of the session."""
        quiet_ns = self._config.companion.seal_after_quiet_s * 1000 * NS_PER_MS
        while True:
            await asyncio.sleep(TICK_S)
            due = deadline_ns(self._state)
            async with self._one:
                if due is not None and now_ns() >= due:
                    await self._apply(m.Tick())
                if self._session and self._state.phase is Phase.IDLE and now_ns() - self._active_ns > quiet_ns:
                    await self.close("quiet")

    async def prove_alive(self) -> None:
        """The watchdog is fed by a feeling that was read."""
        while True:
            await asyncio.to_thread(lambda: self._feelings.read(self._embed("how are you")))
            self._life.worked()
            await asyncio.sleep(PROBE_S)

    # ---- events -------------------------------------------------------------------------------------------------------

    async def _final(self, event: TranscriptFinal) -> None:
        if event.id in self._seen or now_ns() - event.at_ns > STALE_NS or event.boot != boot_id():
            return  # told again, or of so long ago that an answer would only confuse
        self._seen.append(event.id)
        self._active_ns, self._unheard_at_ns = now_ns(), None
        if not self._session:
            self._session = new_id()
            self._history = History()
            await self._bus.say(SessionOpened(session=self._session, turn=event.turn, who=self._config.person.name))
        await self._apply(m.Final(event.turn, event.text, await self._preface(event)))

    async def _preface(self, event: TranscriptFinal) -> str:
        """Once a day, before the first answer; none when that answer says by itself that Beside is a machine."""
        today = datetime.date.today().isoformat()  # a day is the person's own
        if not self._config.companion.say_not_human_daily or self._diary.said_machine_on == today:
            return ""
        if (await self._answer(words_to_answer(self._state, event.text), event.turn)).choice.line == "machine_asked":
            return ""
        self._machine_line = (event.turn, self._lines["machine_daily"])
        return self._machine_line[1]

    async def _empty(self, event: TranscriptEmpty) -> None:
        before = self._state.phase
        await self._apply(m.Empty(event.turn))
        if event.reason == "phantom" or before not in (Phase.IDLE, Phase.HEARING, Phase.DRAFTING) or self._state.phase is not Phase.IDLE:
            return
        now, last = now_ns(), self._unheard_at_ns
        if last is not None and now - last <= UNHEARD_WITHIN_NS:
            self._unheard_at_ns = None
            await self._bus.say(SpeechProposed(
                session=self._session, index=0, text=self._lines["unheard"], last=True, scripted=True,
                deadline_ns=now + DEADLINE_MS * NS_PER_MS,
            ))  # fmt: skip
        else:
            self._unheard_at_ns = now

    async def _judgement(self, event: TranscriptJudged) -> None:
        self._judged[event.turn] = event
        while len(self._judged) > REMEMBERED:
            self._judged.popitem(last=False)
        if event.takes_floor:
            await self._apply(m.FloorTaken(event.turn))

    async def _clause(self, event: ReplyClause) -> None:
        if (event.turn, event.draft) != self._reply_of:
            self._reply_of, self._reply = (event.turn, event.draft), []
        history = self._history.exchanges(but=event.turn)
        asked = 0
        for exchange in reversed(history):
            if "?" not in exchange.beside:
                break
            asked += 1
        if why := objection(event.text, self._history.clauses(), self._reply, asked):
            log.info("a clause was dropped: %s", why)
            return
        self._reply.append(event.text)
        await self._apply(m.Clause(event.turn, event.draft, event.text))

    async def _reply_ended(self, event: ReplyEnded) -> None:
        if event.why == "cancelled":
            return
        line = "nothing" if event.why == "complete" and event.clauses else "failed"
        await self._apply(m.ReplyOver(event.turn, event.draft, line))

    async def _heard(self, event: SpeechEnded) -> None:
        if event.id in self._seen:
            return
        self._seen.append(event.id)
        self._active_ns = now_ns()
        self._history.heard(event.turn, event.heard_text)
        if self._machine_line == (event.turn, event.heard_text):
            self._machine_line = ("", "")
            try:
                self._diary.note_machine_said(datetime.date.today().isoformat())  # as above
            except JournalError as trouble:
                await self._life.degraded(self._bus, trouble)
        await self._apply(m.Heard(event.turn, event.index, event.last, event.interrupted))

    def _forget(self, event: MemoryForgotten) -> None:
        """The talk goes on, but nothing that was said in it before stands in a prompt again."""
        if event.everything or event.forget_session == self._session:
            self._history = History()
            self._answers.clear()

    async def _thinker_is(self, event: StateChanged) -> None:
        self._thinker = event.state
        if event.state == "gone":
            await self._apply(m.ThinkerGone())

    def _thinker_wakes(self) -> bool:
        """It loads its model, or is still on its way to say so."""
        return self._thinker == "starting" or (self._thinker == "unknown" and now_ns() - self._began_ns < WAKING_NS)

    # ---- the table's actions --------------------------------------------------------------------------------------------

    async def _apply(self, event: m.Input) -> None:
        """Step the table, carry out what it wants; what comes of that is stepped too."""
        events: deque[m.Input] = deque([event])
        while events:
            self._state, actions = step(self._state, events.popleft(), now_ns(), self._limits)
            for action in actions:
                events.extend(await self._do(action))

    async def _do(self, action: m.Action) -> list[m.Input]:
        match action:
            case m.Ask():
                return await self._ask(action)
            case m.Cancel():
                await self._bus.say(ReplyCancel(session=self._session, turn=action.turn, draft=action.draft))
            case m.Plan():
                await self._plan(action)
            case m.Say():
                text = self._lines[action.line] if action.line else action.text
                await self._bus.say(SpeechProposed(
                    session=self._session, turn=action.turn, index=action.index, text=text, last=action.last, scripted=action.scripted,
                    deadline_ns=now_ns() + DEADLINE_MS * NS_PER_MS,
                ))  # fmt: skip
            case m.Over():
                await self._over(action)
        return []

    async def _ask(self, action: m.Ask) -> list[m.Input]:
        """The policy first: some words are answered with a fixed sentence, the others by the thinker."""
        answer = await self._answer(action.words, action.turn)
        if answer.choice.line:
            said = m.Clause(action.turn, action.draft, self._lines[answer.choice.line], scripted=True)
            if answer.choice.line == "machine_asked":
                self._machine_line = (action.turn, said.text)
            return [said, m.ReplyOver(action.turn, action.draft, "nothing")]
        if self._thinker not in ("ready", "degraded"):
            return [m.ReplyOver(action.turn, action.draft, "waking" if self._thinker_wakes() else "failed")]
        await self._bus.say(ReplyRequest(
            session=self._session, turn=action.turn, draft=action.draft, who=self._config.person.name,
            history=self._history.exchanges(but=action.turn), face=answer.face, feeling=answer.feeling.emotion, intent=answer.choice.intent,
            last_words=action.words, limit_ms=self._config.companion.reply_limit_ms,
        ))  # fmt: skip
        return []

    async def _answer(self, words: str, turn: str) -> Answer:
        """Feeling and intent of these words; made at the draft, so that the final costs nothing."""
        if words not in self._answers:
            feeling = await asyncio.to_thread(lambda: self._feelings.read(self._embed(words)))
            face = self._face_hint()
            choice = choose(words, feeling, self._history.exchanges(but=turn), self._history.intents(but=turn), face)
            self._answers[words] = Answer(feeling, choice, face)
            while len(self._answers) > PLANS:
                self._answers.popitem(last=False)
        return self._answers[words]

    def _face_hint(self) -> FaceLabel | None:
        """The mood of the face when it is fresh, strong, and the only face; the watcher looks only with consent."""
        face = self._face
        if face is None or not face.moods or face.faces != 1 or now_ns() - face.at_ns > FACE_FRESH_NS:
            return None
        top = face.moods[0]
        return top.label if top.share >= FACE_STRONG and top.label != "neutral" else None

    async def _plan(self, action: m.Plan) -> None:
        answer = await self._answer(action.words, action.turn)
        self._answers.pop(action.words)  # the same words in a later turn meet another history
        self._history.planned(action.turn, action.words, answer.choice.intent)
        if answer.choice.goodbye:
            self._goodbye_turn = action.turn
        await self._bus.say(TurnPlanned(
            session=self._session, turn=action.turn, user_text=action.text, feeling=answer.feeling.emotion,
            feeling_share=answer.feeling.share, intent=answer.choice.intent, why=answer.choice.why, face=answer.face,
        ))  # fmt: skip

    async def _over(self, action: m.Over) -> None:
        self._active_ns = now_ns()
        if action.dropped:
            self._history.dropped(action.turn)
            return
        words = self._history.words(action.turn)
        judged = self._judged.get(action.turn)
        calm = judged is not None and judged.level in ("none", "T3") and not judged.takes_floor
        if calm and worth_remembering(words):
            await self._bus.say(
                MemoryNoted(session=self._session, turn=action.turn, text=words, who=self._config.person.name, source="said")
            )
        if self._goodbye_turn == action.turn:
            await self.close("goodbye")
