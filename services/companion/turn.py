"""The turn as a state table. Pure: (state, event, time) → (state, actions).

    idle ─voice─▶ hearing ─soft pause─▶ drafting ─final─▶ thinking ─first sound─▶ speaking ─all heard─▶ idle
    hearing ─final─▶ thinking       drafting ─other words─▶ hearing (the draft is thrown away)
    thinking ─voice─▶ holding ─no words─▶ thinking         holding ─words─▶ hearing (the reply is dropped, the words are joined)
    thinking, speaking ─guardian takes the floor, stop word─▶ yielding ─silence─▶ idle

A draft reply is begun in a soft pause and kept when the final words are the draft's. Whatever is proposed keeps its order and
is counted until it was heard, refused or timed out, so that a turn always ends. Events that belong to another turn or draft
are late, not wrong: they are ignored. An event that has no place in a state at all is an error of this program.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from device.clock import NS_PER_MS
from services.companion.moments import (
    Action,
    Ask,
    Cancel,
    Clause,
    Empty,
    Final,
    FloorTaken,
    Heard,
    Input,
    Over,
    Partial,
    Plan,
    Refused,
    ReplyOver,
    Say,
    Started,
    Stop,
    ThinkerGone,
    Tick,
    Voice,
)

SOFT_PAUSE_MS = 150
DRAFT_WORDS = 2
DEAF_MS = 30_000  # a listener that tells nothing for so long in mid-utterance is dead: its turn is over
HOLD_MS = 5000  # a voice without words for so long was none
SPEECH_START_MS = 4000  # from proposal to first sound, at the worst
SPEECH_CHAR_MS = 110
YIELD_MS = 6000
LONGEST_CHARS = 4000  # what a text in an event may hold: of a monologue in many pieces the newest words count
LIMIT_GRACE_MS = 500  # the thinker ends by itself at its limit; past the grace it is taken for dead


class Phase(StrEnum):
    IDLE = "idle"
    HEARING = "hearing"
    DRAFTING = "drafting"
    THINKING = "thinking"
    HOLDING = "holding"
    SPEAKING = "speaking"
    YIELDING = "yielding"


@dataclass(frozen=True, slots=True)
class Limits:
    """From the configuration."""

    slow_ms: int
    reply_ms: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the conversation stands. Times are monotonic nanoseconds; None: no such timer."""

    phase: Phase = Phase.IDLE
    turn: str = ""
    next_turn: str = ""  # holding: the turn of the voice that may go on
    carried: str = ""  # words of the turn before, which got no answer
    carried_turn: str = ""
    carried_draft: int = 0
    carried_index: int = 0
    words: str = ""  # what the draft answers
    draft: int = 0
    waiting: tuple[Clause, ...] = ()  # clauses that must not be proposed yet
    reply_over: bool = False
    over_line: str = ""
    clauses: int = 0  # of the answer, proposed in this turn
    index: int = 0  # of the next proposal
    open: frozenset[int] = frozenset()  # proposed, and neither heard nor refused
    closed: bool = False  # the last one was proposed
    slow_at_ns: int | None = None
    limit_at_ns: int | None = None
    speech_by_ns: int | None = None
    hold_by_ns: int | None = None


class IllegalEventError(Exception):
    """An event that has no place in a state: an error of this program, never of a person."""

    def __init__(self, phase: Phase, event: Input) -> None:
        super().__init__(f"the turn cannot take {type(event).__name__} while {phase.value}")


Outcome = tuple[Turn, list[Action]]
Handler = Callable[[Turn, Input, int, Limits], Outcome]


def step(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """The next state and what to do, in order. IllegalEventError if the table has no row for it."""
    handler = TABLE.get((state.phase, type(event)))
    if handler is None:
        raise IllegalEventError(state.phase, event)
    after, actions = handler(state, event, now_ns, limits)
    if after.phase in (Phase.HEARING, Phase.DRAFTING) and isinstance(event, Voice | Partial):
        after = replace(after, hold_by_ns=now_ns + DEAF_MS * NS_PER_MS)
    return after, actions


def deadline_ns(state: Turn) -> int | None:
    """When the next Tick is due; None while there is nothing to wait for."""
    if state.phase in (Phase.HEARING, Phase.DRAFTING, Phase.HOLDING):  # the other timers wait until it is clear what the person says
        return state.hold_by_ns
    timers = [t for t in (state.slow_at_ns, state.limit_at_ns, state.speech_by_ns) if t is not None]
    return min(timers, default=None)


def words_to_answer(state: Turn, text: str) -> str:
    """What a new utterance will be answered as: its own words, after those of the turns before it that got no answer."""
    return _join(state.words if state.phase in (Phase.THINKING, Phase.HOLDING) else state.carried, text)


# ---- listening -------------------------------------------------------------------------------------------------------


def _ignore(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    return state, []


def _voice(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, Voice)
    return _hearing(state, event.turn), _abandon(state)


def _partial(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """While hearing or drafting: a soft pause begins a draft, other words throw it away."""
    assert isinstance(event, Partial)
    actions: list[Action] = []
    if event.turn != state.turn:
        actions, state = _abandon(state), _hearing(state, event.turn)
    words = _join(state.carried, event.text)
    if state.phase is Phase.DRAFTING:
        if words == state.words:
            return state, actions
        actions.append(Cancel(state.turn, state.draft))
        state = replace(_hearing(state, state.turn), draft=state.draft)
    state = replace(state, phase=Phase.HEARING)
    if event.quiet_ms >= SOFT_PAUSE_MS and len(event.text.split()) >= DRAFT_WORDS:
        state = replace(state, phase=Phase.DRAFTING, words=words, draft=state.draft + 1)
        actions.append(Ask(state.turn, state.draft, words))
    return state, actions


def _final(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """The words are final: keep the draft if it answers them, else ask anew."""
    assert isinstance(event, Final)
    kept = state.phase is Phase.DRAFTING and state.turn == event.turn and state.words == _join(state.carried, event.text)
    actions: list[Action] = [] if kept else _abandon(state)
    if not kept:
        draft = state.draft if state.turn == event.turn else 0
        state = replace(_hearing(state, event.turn), words=_join(state.carried, event.text), draft=draft + 1)
        actions.append(Ask(state.turn, state.draft, state.words))
    actions.append(Plan(event.turn, event.text, state.words))
    state = replace(
        state, phase=Phase.THINKING, carried="", carried_turn="", carried_draft=0, carried_index=0,
        slow_at_ns=now_ns + limits.slow_ms * NS_PER_MS, limit_at_ns=now_ns + (limits.reply_ms + LIMIT_GRACE_MS) * NS_PER_MS,
    )  # fmt: skip
    if event.preface:
        said = _propose(state, actions, Clause(state.turn, state.draft, event.preface, scripted=True), False, now_ns)
        state = replace(said, clauses=0, slow_at_ns=state.slow_at_ns)  # it is no answer yet
    return _flush(state, actions, now_ns)


def _empty(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """No words after all. If an unanswered turn stands before it, that one is answered now."""
    assert isinstance(event, Empty)
    if event.turn != state.turn:
        return state, []
    actions = _abandon(state)
    if not state.carried:
        return Turn(), actions
    again = Turn(
        Phase.THINKING, turn=state.carried_turn, words=state.carried, draft=state.carried_draft + 1, index=state.carried_index,
        slow_at_ns=now_ns + limits.slow_ms * NS_PER_MS, limit_at_ns=now_ns + (limits.reply_ms + LIMIT_GRACE_MS) * NS_PER_MS,
    )  # fmt: skip
    return again, [*actions, Ask(again.turn, again.draft, again.words)]


def _drafted(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """A clause while it must not be proposed yet: keep it."""
    assert isinstance(event, Clause)
    if not _current(state, event.turn, event.draft):
        return state, []
    return replace(state, waiting=(*state.waiting, event)), []


def _draft_over(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, ReplyOver)
    if not _current(state, event.turn, event.draft):
        return state, []
    if state.phase is Phase.DRAFTING and event.line and not state.waiting:
        return replace(_hearing(state, state.turn), draft=state.draft), []  # the final will ask again
    return replace(state, reply_over=True, over_line=event.line), []


def _draft_lost(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    if state.reply_over:
        return state, []
    if state.phase is Phase.DRAFTING:
        return replace(_hearing(state, state.turn), draft=state.draft), []
    return replace(state, reply_over=True, over_line="failed"), []


# ---- thinking and speaking -------------------------------------------------------------------------------------------


def _clause(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, Clause)
    if not _current(state, event.turn, event.draft) or state.closed:
        return state, []
    actions: list[Action] = []
    return _propose(state, actions, event, False, now_ns), actions


def _reply_over(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, ReplyOver)
    if not _current(state, event.turn, event.draft) or state.closed:
        return state, []
    return _flush(replace(state, reply_over=True, over_line=event.line), [], now_ns)


def _thinker_gone(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    if state.closed or state.reply_over:
        return state, []
    return _flush(replace(state, reply_over=True, over_line="failed"), [], now_ns)


def _started(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, Started)
    if event.turn != state.turn:
        return state, []
    by_ns = now_ns + (event.duration_ms + SPEECH_START_MS) * NS_PER_MS
    spoken = replace(state, phase=Phase.SPEAKING, next_turn="", hold_by_ns=None, speech_by_ns=max(by_ns, state.speech_by_ns or 0))
    return _flush(spoken, [], now_ns)


def _heard(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, Heard)
    return _settle(state, event.turn, event.index, now_ns)


def _refused(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, Refused)
    return (state, []) if event.replaced else _settle(state, event.turn, event.index, now_ns)


def _yield(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """Guardian has taken the floor, or the person said stop."""
    if isinstance(event, FloorTaken) and event.turn != state.turn:
        return state, []
    yielding = Turn(Phase.YIELDING, turn=state.turn, speech_by_ns=now_ns + YIELD_MS * NS_PER_MS)
    return yielding, [*_cancel(state), Over(state.turn, dropped=False)]


def _hold(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """A voice before the first sound of the answer: wait whether it has words."""
    assert isinstance(event, Voice)
    if event.turn == state.turn:
        return state, []
    return replace(state, phase=Phase.HOLDING, next_turn=event.turn, hold_by_ns=now_ns + HOLD_MS * NS_PER_MS), []


def _held_empty(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, Empty)
    if event.turn != state.next_turn:
        return state, []
    return _flush(replace(state, phase=Phase.THINKING, next_turn="", hold_by_ns=None), [], now_ns)


def _words_again(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """New words of the person. Before a sound they continue the turn; while Beside speaks they end it."""
    assert isinstance(event, Partial | Final)
    if event.turn == state.turn or (isinstance(event, Partial) and not event.text.strip()):
        return state, []
    before = state.phase is not Phase.SPEAKING
    actions: list[Action] = [*_cancel(state), Over(state.turn, dropped=before)]
    fresh = Turn(Phase.HEARING, turn=event.turn)
    if before:
        fresh = replace(fresh, carried=state.words, carried_turn=state.turn, carried_draft=state.draft, carried_index=state.index)
    after, more = (_partial if isinstance(event, Partial) else _final)(fresh, event, now_ns, limits)
    return after, [*actions, *more]


def _tick(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """The timers, the most urgent one first."""
    actions: list[Action] = []
    if state.phase is Phase.HOLDING:
        if not _due(state.hold_by_ns, now_ns):
            return state, actions
        return _flush(replace(state, phase=Phase.THINKING, next_turn="", hold_by_ns=None), actions, now_ns)
    if _due(state.limit_at_ns, now_ns):
        return _flush(replace(state, reply_over=True, over_line="failed"), _cancel(state), now_ns)
    if _due(state.slow_at_ns, now_ns):
        state = replace(state, slow_at_ns=None)
        return _propose(state, actions, None, False, now_ns, "slow"), actions
    if _due(state.speech_by_ns, now_ns):  # no report of the speaker: whatever was open is over
        state = replace(state, open=frozenset(), speech_by_ns=None)
        return _end_if_over(state, actions)
    return state, actions


def _deaf_tick(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    """Nothing of what was begun to be heard ever came."""
    return (Turn(), _abandon(state)) if _due(state.hold_by_ns, now_ns) else (state, [])


def _yield_tick(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    return (Turn(), []) if _due(state.speech_by_ns, now_ns) else (state, [])


def _yield_started(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, Started)
    return replace(state, speech_by_ns=now_ns + (event.duration_ms + YIELD_MS) * NS_PER_MS), []


def _yield_heard(state: Turn, event: Input, now_ns: int, limits: Limits) -> Outcome:
    assert isinstance(event, Heard)
    return (Turn(), []) if event.last or event.interrupted else (state, [])


# ---- the parts they share --------------------------------------------------------------------------------------------


def _due(at_ns: int | None, now_ns: int) -> bool:
    return at_ns is not None and now_ns >= at_ns


def _current(state: Turn, turn: str, draft: int) -> bool:
    return state.turn == turn and state.draft == draft and not state.reply_over


def _join(carried: str, text: str) -> str:
    words = f"{carried} {text}".strip()
    return words if len(words) <= LONGEST_CHARS else words[-LONGEST_CHARS:].partition(" ")[2]


def _hearing(state: Turn, turn: str) -> Turn:
    return Turn(
        Phase.HEARING, turn=turn, carried=state.carried, carried_turn=state.carried_turn,
        carried_draft=state.carried_draft, carried_index=state.carried_index,
    )  # fmt: skip


def _cancel(state: Turn) -> list[Action]:
    return [] if state.reply_over or state.draft == 0 else [Cancel(state.turn, state.draft)]


def _abandon(state: Turn) -> list[Action]:
    """What must be undone when the state's turn gives way while the person has the word."""
    return _cancel(state) if state.phase is Phase.DRAFTING else []


def _propose(state: Turn, actions: list[Action], clause: Clause | None, last: bool, now_ns: int, line: str = "") -> Turn:
    text, scripted = (clause.text, clause.scripted) if clause else ("", True)
    actions.append(Say(state.turn, state.index, text, last, scripted, line))
    by_ns = max(state.speech_by_ns or now_ns, now_ns) + (SPEECH_START_MS + SPEECH_CHAR_MS * (len(text) or 60)) * NS_PER_MS
    answers = clause is not None and bool(text)
    return replace(
        state, index=state.index + 1, open=state.open | {state.index}, clauses=state.clauses + answers, closed=last,
        slow_at_ns=None if answers or last else state.slow_at_ns, limit_at_ns=None if last else state.limit_at_ns, speech_by_ns=by_ns,
    )  # fmt: skip


def _flush(state: Turn, actions: list[Action], now_ns: int) -> Outcome:
    """Propose what waits; if the reply is over, close it: with its last clause, with a fixed line, or with an empty mark."""
    waiting = state.waiting
    state = replace(state, waiting=())
    if state.closed:
        return _end_if_over(state, actions)
    for number, clause in enumerate(waiting):
        state = _propose(state, actions, clause, state.reply_over and number == len(waiting) - 1, now_ns)
    if state.reply_over and not state.closed:
        line = "" if state.clauses else (state.over_line or "nothing")
        mark = None if line else Clause(state.turn, state.draft, "")
        state = _propose(state, actions, mark, True, now_ns, line)
    return state, actions


def _settle(state: Turn, turn: str, index: int, now_ns: int) -> Outcome:
    if turn != state.turn:
        return state, []
    return _end_if_over(replace(state, open=state.open - {index}), [])


def _end_if_over(state: Turn, actions: list[Action]) -> Outcome:
    if state.closed and not state.open and state.phase is not Phase.HOLDING:
        return Turn(), [*actions, Over(state.turn, dropped=False)]
    return (replace(state, speech_by_ns=None) if not state.open else state), actions


_QUIET: dict[type[Input], Handler] = {
    Voice: _voice, Partial: _partial, Final: _final, Empty: _ignore, FloorTaken: _ignore, Clause: _ignore, ReplyOver: _ignore,
    Started: _ignore, Heard: _ignore, Refused: _ignore, Stop: _ignore, ThinkerGone: _ignore, Tick: _ignore,
}  # fmt: skip
_BUSY: dict[type[Input], Handler] = {
    Voice: _ignore, Partial: _words_again, Final: _words_again, Empty: _ignore, FloorTaken: _yield, Clause: _clause, ReplyOver: _reply_over,
    Started: _started, Heard: _heard, Refused: _refused, Stop: _yield, ThinkerGone: _thinker_gone, Tick: _tick,
}  # fmt: skip
_ROWS: dict[Phase, dict[type[Input], Handler]] = {
    Phase.IDLE: _QUIET,
    Phase.HEARING: _QUIET | {Empty: _empty, Tick: _deaf_tick},
    Phase.DRAFTING: _QUIET | {Empty: _empty, Tick: _deaf_tick, Clause: _drafted, ReplyOver: _draft_over, ThinkerGone: _draft_lost},
    Phase.THINKING: _BUSY | {Voice: _hold},
    Phase.HOLDING: _BUSY | {Voice: _hold, Empty: _held_empty, Clause: _drafted, ReplyOver: _draft_over, ThinkerGone: _draft_lost},
    Phase.SPEAKING: _BUSY,
    Phase.YIELDING: _QUIET | {Tick: _yield_tick, Started: _yield_started, Heard: _yield_heard},
}
TABLE: dict[tuple[Phase, type[Input]], Handler] = {(phase, kind): handler for phase, row in _ROWS.items() for kind, handler in row.items()}
