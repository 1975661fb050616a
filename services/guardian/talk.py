"""The guardian's own conversation as a table. Pure: the level of an utterance and the time go in, what to say comes out.

    calm ──T1──▶ alarmed      calm ──T2──▶ asked
    asked ──yes, unclear, silence, T1──▶ alarmed      asked ──clear no──▶ watchful      asked ──"pardon?"──▶ asked (once)
    alarmed ──anything──▶ next step of the script, the last one ──▶ watchful
    watchful = calm, but nobody is asked the same again within ten minutes of a clear no

Any state goes up at once; only the person's own clear no to the direct question goes down. What was raised stays raised in
the alarm store: no word of the person takes an alarm back.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from device.clock import NS_PER_MS
from device.events import Level
from services.guardian.judge import AlarmKind, Judgement
from services.guardian.library import Scripts, Sentences
from services.guardian.rules import normalise

SILENCE_NS = 20_000 * NS_PER_MS  # no answer to the direct question
WATCHFUL_NS = 30 * 60_000 * NS_PER_MS
ASK_AGAIN_NS = 10 * 60_000 * NS_PER_MS
ALARM_AGAIN_NS = 60_000 * NS_PER_MS
Answer = Literal["yes", "no", "again", "unclear"]

_NO = re.compile(
    r"(?:(?:oh|well|good|god|heavens|gracious|dear|lord|goodness|my|honestly|really|thanks|thank you|but) )*"
    r"(?:no|nope|nah|never(?! mind)|not at all|of course not|certainly not|absolutely not|i am not(?! sure| certain)"
    r"|i do not(?= want|$)|i would not|i would never)\b"
    r"(?P<rest>.*)"
)
_DOUBT = re.compile(
    r"\b(?:but|maybe|perhaps|sometimes|not sure|do not know|not really|guess|suppose|yet|right now|today|at the moment|exactly)\b"
    r"|\b(?:yes|yeah|though|except|unless|not any more)\b"
)
_YES = re.compile(
    r"(?:(?:oh|well|i think|i guess|i suppose|sometimes|honestly|maybe) )*"
    r"(?:yes|yeah|yep|yea|aye|i am|i do|i have|sometimes|often|i think so|all the time|sure|of course|please|always)\b"
)
_AGAIN = re.compile(
    r"(?:what|pardon|sorry|excuse me|say (?:that )?again|come again|huh|hm|what did you (?:say|ask)"
    r"|i (?:did not|can not|could not) hear(?: you| that)?)(?: .*)?"
)


class State(StrEnum):
    CALM = "calm"
    ASKED = "asked"
    ALARMED = "alarmed"
    WATCHFUL = "watchful"


@dataclass(frozen=True, slots=True)
class Talk:
    """Where the guardian stands with this person."""

    state: State = State.CALM
    kind: AlarmKind = "crisis"
    script: str = "crisis"
    step: int = 0  # of the script, the next one to be spoken
    repeated: bool = False  # the direct question was said a second time
    since_ns: int = 0  # of this state; while asked, when the question had been spoken
    no_at_ns: int | None = None  # the last clear no
    alarm_at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What an utterance leads to. `say` is empty when the companion may answer."""

    level: Level
    say: Sentences = ()
    alarm: AlarmKind | None = None

    @property
    def takes_floor(self) -> bool:
        return bool(self.say)


def answer(text: str) -> Answer:
    """How an utterance answers the direct question: only an undoubted no is a no."""
    plain = normalise(text).replace(" . ", " ")
    if (no := _NO.fullmatch(plain)) and not _DOUBT.search(no["rest"]):
        return "no"
    if _YES.match(plain):
        return "yes"
    return "again" if _AGAIN.fullmatch(plain) and len(plain.split()) <= 6 else "unclear"


def hear(talk: Talk, judged: Judgement, text: str, now_ns: int, scripts: Scripts) -> tuple[Talk, Decision]:
    """One utterance of the person."""
    if talk.state is State.WATCHFUL and now_ns - talk.since_ns > WATCHFUL_NS:
        talk = Talk(no_at_ns=talk.no_at_ns)
    if talk.state is State.ALARMED and (judged.level != "T1" or judged.kind in ("", talk.kind)):
        return _next_step(talk, judged, now_ns, scripts)
    if judged.level == "T1" and judged.kind:
        return _alarm(talk, judged.kind, judged.kind, now_ns, scripts)
    if talk.state is State.ASKED:
        meant = any(not rule.startswith("denial.") for rule in judged.rules) and judged.level == "T2"
        return _answered(talk, "unclear" if meant else answer(text), now_ns, scripts)
    if judged.level == "T2" and judged.kind and (talk.no_at_ns is None or now_ns - talk.no_at_ns > ASK_AGAIN_NS):
        return Talk(State.ASKED, judged.kind, since_ns=now_ns), Decision("T2", scripts.questions[judged.kind])
    return talk, Decision(judged.level)


def silence(talk: Talk, now_ns: int, scripts: Scripts) -> tuple[Talk, Decision] | None:
    """Nobody answered the direct question; None while there is still time."""
    if talk.state is not State.ASKED or now_ns - talk.since_ns < SILENCE_NS:
        return None
    return _alarm(talk, talk.kind, f"{talk.kind}-silence", now_ns, scripts)


def spoken(talk: Talk, now_ns: int) -> Talk:
    """A sentence of the guardian has been heard: the time for an answer begins now."""
    return replace(talk, since_ns=now_ns) if talk.state is State.ASKED else talk


def _answered(talk: Talk, said: Answer, now_ns: int, scripts: Scripts) -> tuple[Talk, Decision]:
    if said == "no":
        return Talk(State.WATCHFUL, talk.kind, since_ns=now_ns, no_at_ns=now_ns), Decision("T2", scripts.calmed[talk.kind])
    if said == "again" and not talk.repeated:
        return replace(talk, repeated=True, since_ns=now_ns), Decision("T2", scripts.again[talk.kind])
    return _alarm(talk, talk.kind, _asked_script(talk.kind), now_ns, scripts)


def _alarm(talk: Talk, kind: AlarmKind, script: str, now_ns: int, scripts: Scripts) -> tuple[Talk, Decision]:
    steps = scripts.talks[script]
    state = State.ALARMED if len(steps) > 1 else State.WATCHFUL
    return Talk(state, kind, script, 1, since_ns=now_ns, alarm_at_ns=now_ns), Decision("T1", steps[0], kind)


def _next_step(talk: Talk, judged: Judgement, now_ns: int, scripts: Scripts) -> tuple[Talk, Decision]:
    steps = scripts.talks[talk.script]
    again = judged.level == "T1" and talk.alarm_at_ns is not None and now_ns - talk.alarm_at_ns > ALARM_AGAIN_NS
    state = State.ALARMED if talk.step + 1 < len(steps) else State.WATCHFUL
    alarm_at = now_ns if again else talk.alarm_at_ns
    moved = replace(talk, state=state, step=talk.step + 1, since_ns=now_ns, alarm_at_ns=alarm_at)
    return moved, Decision("T1", steps[talk.step], talk.kind if again else None)


def _asked_script(kind: AlarmKind) -> str:
    return "crisis-asked" if kind == "crisis" else kind
