"""The gate: which proposed clause may become a request. Pure.

A clause of turn N waits until turn N's final transcript has been judged. Then it is released, refused, or stale; and none is
released twice, however often the bus delivers it. Fixed sentences of the companion that belong to no turn need no judgement.
An empty last clause carries no words: it only marks the end of a reply. A reply of which nothing was left ends with a sentence
of the guardian's own, and every reply that reached the mouth ends with a last clause, if need be an empty one.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from device.events import SpeechProposed
from services.guardian.rules import RuleSet, normalise
from services.guardian.vet import vet

TURNS = 64  # remembered; older turns are over
Fate = Literal["release", "refuse", "stale"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one clause; `rule` says why it is not released, `say` names the sentence in its place."""

    clause: SpeechProposed
    fate: Fate
    rule: str = ""
    say: str = ""


@dataclass(slots=True)
class _Turn:
    judged: bool = False
    closed_by: str = ""  # the rule that closes this turn for the companion
    waiting: list[SpeechProposed] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    spoken: set[str] = field(default_factory=set)
    replaced: bool = False  # one scripted sentence a turn is enough
    released: bool = False  # something with words in it


class Gate:
    """`propose` and `judged` return the verdicts that are due now."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._turns: OrderedDict[str, _Turn] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()  # ids of proposals outside a turn

    def propose(self, clause: SpeechProposed, now_ns: int) -> list[Verdict]:
        """A clause has come: its verdict, or nothing while it has to wait or was seen before."""
        if not clause.turn:
            return self._outside_a_turn(clause, now_ns)
        turn = self._turn(clause.turn)
        if clause.index in turn.seen:
            return []
        turn.seen.add(clause.index)
        if turn.closed_by:
            return [Verdict(clause, "refuse", turn.closed_by)]
        if not turn.judged:
            turn.waiting.append(clause)
            return []
        return [self._verdict(turn, clause, now_ns)]

    def judged(self, turn_id: str, takes_floor: bool, now_ns: int) -> list[Verdict]:
        """The turn's final transcript has been judged: the waiting clauses go, or the guardian has taken the floor."""
        turn = self._turn(turn_id)
        turn.judged = True
        if takes_floor:
            return self.close(turn_id, "floor.guardian")
        waiting, turn.waiting = turn.waiting, []
        return [self._verdict(turn, clause, now_ns) for clause in waiting]

    def close(self, turn_id: str, rule: str) -> list[Verdict]:
        """No clause of this turn passes any more."""
        turn = self._turn(turn_id)
        turn.closed_by = turn.closed_by or rule
        waiting, turn.waiting = turn.waiting, []
        return [Verdict(clause, "refuse", rule) for clause in waiting]

    def take_back(self, turn_id: str) -> None:
        """What was released of this turn was stopped before it sounded: it may be said once more."""
        turn = self._turn(turn_id)
        turn.spoken.clear()
        turn.waiting, turn.released, turn.replaced = [], False, False

    def _turn(self, turn_id: str) -> _Turn:
        turn = self._turns.setdefault(turn_id, _Turn())
        self._turns.move_to_end(turn_id)
        while len(self._turns) > TURNS:
            self._turns.popitem(last=False)
        return turn

    def _outside_a_turn(self, clause: SpeechProposed, now_ns: int) -> list[Verdict]:
        if clause.id in self._known:
            return []
        self._known[clause.id] = None
        while len(self._known) > TURNS:
            self._known.popitem(last=False)
        if not clause.scripted:
            return [Verdict(clause, "refuse", "form.no-turn")]
        return [self._verdict(_Turn(judged=True), clause, now_ns)]

    def _verdict(self, turn: _Turn, clause: SpeechProposed, now_ns: int) -> Verdict:
        if now_ns > clause.deadline_ns:
            return Verdict(clause, "stale", "form.stale")
        if not clause.text and clause.last:
            nothing = not (turn.released or turn.replaced)
            return Verdict(clause, "refuse", "form.nothing-left", "nothing") if nothing else Verdict(clause, "release")
        if refusal := vet(clause.text, turn.spoken, self._rules):
            say = "" if turn.replaced else refusal.say
            if clause.last and not (say or turn.replaced or turn.released):
                say = "nothing"
            turn.replaced = turn.replaced or bool(say)
            return Verdict(clause, "refuse", refusal.rule, say)
        turn.spoken.add(normalise(clause.text))
        turn.released = True
        return Verdict(clause, "release")
