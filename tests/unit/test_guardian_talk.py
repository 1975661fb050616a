"""The guardian's own conversation, and the gate."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.events import SpeechProposed
from services.guardian.alarms import AlarmStore
from services.guardian.gate import Gate
from services.guardian.judge import NOTHING, Judgement, judge
from services.guardian.library import load_rules, load_scripts
from services.guardian.talk import SILENCE_NS, State, Talk, answer, hear, silence
from services.guardian.vet import vet

RULES = load_rules("en")
SCRIPTS = load_scripts("en", "us")
LATE = 10**18


def say(talk: Talk, text: str, now_ns: int = 0) -> tuple[Talk, tuple[str, ...], str | None]:
    after, decision = hear(talk, judge(text, (), RULES), text, now_ns, SCRIPTS)
    return after, decision.say, decision.alarm


def test_explicit_words_raise_an_alarm_and_ask_directly() -> None:
    talk, said, alarm = say(Talk(), "i want to kill myself")
    assert alarm == "crisis"
    assert talk.state is State.ALARMED
    assert "press your call button" in " ".join(said)
    assert said[-1] == "Are you thinking about killing yourself?"


def test_implicit_words_are_asked_about_within_the_turn() -> None:
    talk, said, alarm = say(Talk(), "they would be better off without me")
    assert (talk.state, alarm) == (State.ASKED, None)
    assert said[-1].endswith("Are you thinking about killing yourself?")


@pytest.mark.parametrize(
    "words", ["yes", "sometimes", "i don't know", "maybe", "leave me alone", "no but i wish i could", "not really", ""]
)
def test_yes_and_unclear_answers_raise(words: str) -> None:
    asked, _, _ = say(Talk(), "they would be better off without me")
    talk, said, alarm = say(asked, words)
    assert (talk.state, alarm) == (State.ALARMED, "crisis")
    assert "Are you thinking about killing yourself?" not in said  # it was asked already


@pytest.mark.parametrize("words", ["no", "no no", "oh no", "No, of course not.", "no i'm not going to kill myself", "never"])
def test_clear_no_keeps_the_talk_gentle(words: str) -> None:
    asked, _, _ = say(Talk(), "they would be better off without me")
    talk, said, alarm = say(asked, words)
    assert (talk.state, alarm) == (State.WATCHFUL, None)
    assert said


def test_no_with_implicit_words_is_no_clear_no() -> None:
    asked, _, _ = say(Talk(), "they would be better off without me")
    assert say(asked, "no i just don't want to wake up")[2] == "crisis"


def test_question_is_repeated_once_then_taken_as_unclear() -> None:
    asked, _, _ = say(Talk(), "they would be better off without me")
    again, said, _ = say(asked, "pardon")
    assert "killing yourself" in said[0]
    assert say(again, "pardon")[2] == "crisis"


def test_silence_after_the_question_raises() -> None:
    asked, _, _ = say(Talk(), "they would be better off without me")
    assert silence(asked, SILENCE_NS - 1, SCRIPTS) is None
    outcome = silence(asked, SILENCE_NS, SCRIPTS)
    assert outcome is not None
    assert outcome[1].alarm == "crisis"


def test_script_goes_on_step_by_step_and_hands_back() -> None:
    talk, _, _ = say(Talk(), "i want to kill myself")
    told = []
    while talk.state is State.ALARMED:
        talk, said, alarm = say(talk, "never mind")
        assert alarm is None
        told.append(" ".join(said))
    assert len(told) == len(set(told)) == len(SCRIPTS.talks["crisis"]) - 1
    assert say(talk, "what a nice day")[1] == ()


def test_other_emergency_in_the_middle_of_a_script_takes_over() -> None:
    talk, _, _ = say(Talk(), "i want to kill myself")
    talk, said, alarm = say(talk, "i can't breathe")
    assert alarm == "medical"
    assert "emergency" in said[0]


def test_same_question_is_not_asked_again_soon_after_a_clear_no() -> None:
    asked, _, _ = say(Talk(), "they would be better off without me")
    talk, _, _ = say(asked, "no", 10)
    assert say(talk, "i'm a burden", 20)[1] == ()
    assert say(talk, "i want to kill myself", 30)[2] == "crisis"


def test_one_question_at_a_time_in_every_script() -> None:
    for step in [s for steps in SCRIPTS.talks.values() for s in steps] + list(SCRIPTS.questions.values()):
        assert " ".join(step).count("?") <= 1, step


def test_scripts_claim_no_call_and_no_promise() -> None:
    for step in [s for steps in SCRIPTS.talks.values() for s in steps] + [*SCRIPTS.calmed.values()]:
        for sentence in step:
            refusal = vet(sentence, (), RULES)
            assert refusal is None or not refusal.rule.startswith(("vet.told", "vet.promise", "vet.secrecy", "vet.human")), sentence


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["none", "T3", "T2", "T1"]), st.sampled_from(["no", "yes", "pardon", "well", ""])), max_size=20))
def test_explicit_words_are_never_left_to_the_model(turns: list[tuple[str, str]]) -> None:
    talk = Talk()
    for number, (level, words) in enumerate(turns):
        judged = Judgement(level, "crisis", ("x@1",)) if level in ("T1", "T2") else NOTHING  # type: ignore[arg-type]  # sampled
        talk, decision = hear(talk, judged, words, number, SCRIPTS)
        assert decision.takes_floor or level != "T1"


def test_answers_are_read_as_meant() -> None:
    assert [answer(t) for t in ("yes", "no", "what", "the soup was cold")] == ["yes", "no", "again", "unclear"]


def test_alarms_are_for_their_owners_eyes(tmp_path: Path) -> None:
    AlarmStore(tmp_path / "alarms.sqlite").close()
    assert (tmp_path / "alarms.sqlite").stat().st_mode & 0o037 == 0


# ---- the gate --------------------------------------------------------------------------------------------------------


def clause(
    index: int, text: str = "You miss your garden.", turn: str = "t", last: bool = False, scripted: bool = False, by: int = LATE
) -> SpeechProposed:
    return SpeechProposed(turn=turn, index=index, text=text, last=last, scripted=scripted, deadline_ns=by)


def test_clause_waits_for_the_judgement_of_its_turn() -> None:
    gate = Gate(RULES)
    assert gate.propose(clause(0), 1) == []
    assert gate.judged("other", False, 1) == []
    assert [v.fate for v in gate.judged("t", False, 1)] == ["release"]
    assert [v.fate for v in gate.propose(clause(1, "Tell me of the roses."), 1)] == ["release"]


def test_redelivered_clause_is_never_released_twice() -> None:
    gate = Gate(RULES)
    gate.judged("t", False, 1)
    first = clause(0)
    assert len(gate.propose(first, 1)) == 1
    assert gate.propose(first, 1) == []
    assert gate.propose(clause(0), 1) == []


def test_floor_closes_the_turn_for_waiting_and_later_clauses() -> None:
    gate = Gate(RULES)
    gate.propose(clause(0), 1)
    assert [v.rule for v in gate.judged("t", True, 1)] == ["floor.guardian"]
    assert [v.fate for v in gate.propose(clause(1), 1)] == ["refuse"]


def test_stale_clause_is_dropped() -> None:
    gate = Gate(RULES)
    gate.propose(clause(0, by=5), 1)
    assert [v.fate for v in gate.judged("t", False, 6)] == ["stale"]


def test_turn_without_a_passed_clause_does_not_end_in_silence() -> None:
    gate = Gate(RULES)
    gate.judged("t", False, 1)
    assert gate.propose(clause(0, "I have been in your shoes."), 1)[0].say == ""
    end = gate.propose(clause(1, "", last=True), 1)[0]
    assert (end.fate, end.say) == ("refuse", "nothing")


def test_model_clause_outside_a_turn_is_refused_and_a_fixed_one_passes() -> None:
    gate = Gate(RULES)
    assert gate.propose(clause(0, turn=""), 1)[0].rule == "form.no-turn"
    assert gate.propose(clause(0, turn="", scripted=True), 1)[0].fate == "release"


def test_taken_back_clause_may_be_said_once_more() -> None:
    gate = Gate(RULES)
    gate.judged("t", False, 1)
    gate.propose(clause(0), 1)
    assert gate.propose(clause(1), 1)[0].rule == "form.said-already"
    gate.take_back("t")
    assert gate.propose(clause(2), 1)[0].fate == "release"


@pytest.mark.parametrize(
    "text",
    ["User: hello", "<|im_end|>", "Привет", "word word word", "x" * 400, "\x1b[31mred", "one two three one two three one two three", "..."],
)
def test_form_is_refused(text: str) -> None:
    refusal = vet(text, (), RULES)
    assert refusal is not None
    assert refusal.rule.startswith("form.")


@pytest.mark.parametrize(
    "text",
    ["You miss your garden, Anna.", "The night is long. What do you see when you think of that?",
     "Perhaps the nurse could dial her for you tomorrow.",
     "I am a machine, not a person.", "Café and crème brûlée, then.", "I can't hold your hand, but I can listen."],
)  # fmt: skip
def test_good_clauses_pass(text: str) -> None:
    assert vet(text, (), RULES) is None
