"""Thousands of random turns in virtual time: a person, a thinker, a guardian and a speaker that all misbehave at random.

Whatever happens: a turn gets one reply or none, in order and once; it is always over in the end; and it is never over in
silence unless the guardian or the person had the floor.
"""

import heapq
import random
from collections import defaultdict
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.companion import moments as m
from services.companion.turn import LONGEST_CHARS, Limits, Phase, Turn, deadline_ns, step

MS = 1_000_000
LIMITS = Limits(slow_ms=3000, reply_ms=12_000)
TURNS = 12
LONGEST_TURN_MS = 90_000


class World:
    """A clock, a heap of things to come, and the table under test."""

    def __init__(self, seed: int, trouble: float) -> None:
        self.dice, self.trouble = random.Random(seed), trouble
        self.now = 1
        self.todo: list[tuple[int, int, Any]] = []
        self.order = count()
        self.state = Turn()
        self.asked: list[m.Ask] = []
        self.cancelled: set[tuple[str, int]] = set()
        self.said: dict[str, list[m.Say]] = defaultdict(list)
        self.finals: dict[str, int] = {}
        self.overs: dict[str, list[m.Over]] = defaultdict(list)
        self.over_at: dict[str, int] = {}
        self.floor: set[str] = set()
        self.stopped = False
        self.thinker_dies_at = -1

    def chance(self, share: float) -> bool:
        return self.dice.random() < share * self.trouble

    def later(self, ms: float, event: Any) -> None:
        heapq.heappush(self.todo, (self.now + int(ms * MS), next(self.order), event))

    def person(self) -> None:
        """The whole talk of the person, planned ahead: it does not wait for answers."""
        at = 0.0
        for number in range(TURNS):
            turn, at = f"t{number}", at + self.dice.choice([50, 400, 3000, 20_000])
            words = " ".join(self.dice.choice(["nobody", "came", "today", "my", "garden", "well"]) for _ in range(self.dice.randint(1, 6)))
            if not self.chance(0.3):
                self.later(at, m.Voice(turn))
            if self.chance(0.5):
                self.later(at + 100, m.Empty(turn))
                continue
            for quiet in self.dice.sample([0, 60, 160, 250, 400], self.dice.randint(0, 4)):
                at += 80
                self.later(at, m.Partial(turn, words if not self.chance(0.5) else words + " and", quiet))
            at += 200
            if self.chance(0.2):
                self.later(at, m.Empty(turn))
            else:
                preface = "I am a machine." if self.chance(0.3) else ""
                self.later(at, m.Final(turn, words, preface))
                if self.chance(0.2):
                    self.later(at + self.dice.choice([1, 500]), m.FloorTaken(turn))
        for _ in range(self.dice.randint(0, 3)):
            if self.chance(0.7):
                self.later(self.dice.uniform(0, at), self.dice.choice([m.Stop(), m.ThinkerGone()]))

    def think(self, ask: m.Ask) -> None:
        if self.chance(0.15):
            return  # hangs for ever, or the request was lost
        at = self.dice.choice([1, 30, 200, 5000])
        for number in range(self.dice.randint(0, 3)):
            self.later(at, m.Clause(ask.turn, ask.draft, f"{ask.turn} {ask.draft} clause {number}."))
            at += self.dice.choice([5, 100, 2000])
        if not self.chance(0.1):
            self.later(at, m.ReplyOver(ask.turn, ask.draft, self.dice.choice(["", "", "failed", "nothing"])))

    def speak(self, say: m.Say) -> None:
        if self.chance(0.15):
            self.later(2, m.Refused(say.turn, say.index, replaced=self.chance(0.5)))
            return
        if self.chance(0.1):
            return  # the speaker never says a word about it
        duration = self.dice.choice([0, 300, 2500])
        if not self.chance(0.1):
            self.later(60, m.Started(say.turn, say.index, duration))
        self.later(60 + duration, m.Heard(say.turn, say.index, say.last, interrupted=self.chance(0.1)))
        if self.chance(0.2):
            self.later(70 + duration, m.Heard(say.turn, say.index, say.last, interrupted=False))  # told twice

    def run(self) -> None:
        self.person()
        for _ in range(20_000):
            due = deadline_ns(self.state)
            if self.todo and (due is None or self.todo[0][0] <= due):
                self.now, _, event = heapq.heappop(self.todo)
            elif due is not None:
                self.now, event = max(due, self.now), m.Tick()
            else:
                return
            self.take(event)
        raise AssertionError("the timers go round in circles")

    def take(self, event: Any) -> None:
        if isinstance(event, m.Final):
            self.finals.setdefault(event.turn, self.now)
        before = self.state
        self.state, actions = step(self.state, event, self.now, LIMITS)
        if isinstance(event, m.FloorTaken | m.Stop) and self.state.phase is Phase.YIELDING and before.phase is not Phase.YIELDING:
            self.floor.add(before.turn)
        for action in actions:
            match action:
                case m.Ask():
                    self.asked.append(action)
                    self.think(action)
                case m.Cancel():
                    self.cancelled.add((action.turn, action.draft))
                case m.Say():
                    assert action.turn not in self.over_at, "said after the turn was over"
                    self.said[action.turn].append(action)
                    self.speak(action)
                case m.Over():
                    self.overs[action.turn].append(action)
                    if not action.dropped:
                        self.over_at[action.turn] = self.now

    def check(self) -> None:
        assert self.state.phase in (Phase.IDLE, Phase.HEARING, Phase.DRAFTING), self.state
        for turn, began in self.finals.items():
            ends = [over for over in self.overs[turn] if not over.dropped]
            carried = any(over.dropped for over in self.overs[turn])
            assert len(ends) == 1 or (carried and not ends), f"{turn} ended {len(ends)} times"
            if ends:
                assert self.over_at[turn] - began < LONGEST_TURN_MS * MS, "a turn took for ever"
                spoken = [say for say in self.said[turn] if say.text or say.line]
                assert spoken or turn in self.floor, f"{turn} ended in silence"
        for turn, says in self.said.items():
            assert [say.index for say in says] == list(range(len(says))), f"{turn}: proposals out of order"
            dropped = any(over.dropped for over in self.overs[turn])  # such a turn may be taken up again, when no words followed
            assert dropped or not any(say.last for say in says[:-1]), f"{turn}: something after the last"
            model = [say.text for say in says if say.text and not say.scripted]
            assert len(model) == len(set(model)), f"{turn}: said twice"
            drafts = {text.rsplit(" clause", 1)[0] for text in model}
            assert len(drafts) <= 1 or dropped, f"{turn}: two replies"
            assert sum(say.line == "slow" for say in says) <= 1 or dropped


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), trouble=st.sampled_from([0.0, 0.3, 1.0]))
def test_turns_stay_whole_when_everything_misbehaves(seed: int, trouble: float) -> None:
    world = World(seed, trouble)
    world.run()
    world.check()


def test_every_turn_is_answered_when_nothing_goes_wrong() -> None:
    for seed in range(200):
        world = World(seed, 0.0)
        world.run()
        world.check()
        assert world.finals
        answered = [turn for turn, overs in world.overs.items() if not overs[-1].dropped]
        assert f"t{TURNS - 1}" in answered


def test_words_stay_within_an_event_when_a_monologue_comes_in_pieces() -> None:
    piece = " ".join(["nobody came to see my garden"] * 60)
    state = Turn()
    for number in range(6):
        for event in (m.Voice(f"t{number}"), m.Partial(f"t{number}", piece, 0), m.Final(f"t{number}", f"{piece} {number}")):
            state, _ = step(state, event, 1, LIMITS)
    assert len(state.words) <= LONGEST_CHARS
    assert state.words.endswith("my garden 5")  # the newest words count
    assert state.words.split()[0] in piece.split()  # and no word is cut in two


def test_simulation_notices_a_broken_table() -> None:
    """The check itself can fail: a turn that is forgotten is found."""
    world = World(1, 0.0)
    world.run()
    world.overs.popitem()
    try:
        world.check()
    except AssertionError:
        return
    raise AssertionError("a missing end went unnoticed")


def test_a_listener_that_dies_in_mid_utterance_does_not_hold_the_turn_for_ever() -> None:
    state, _ = step(Turn(), m.Voice("t"), 1, LIMITS)
    state, _ = step(state, m.Partial("t", "i wanted to say", 300), 2, LIMITS)
    due = deadline_ns(state)
    assert due is not None
    state, actions = step(state, m.Tick(), due, LIMITS)
    assert state.phase is Phase.IDLE
    assert any(isinstance(action, m.Cancel) for action in actions)
