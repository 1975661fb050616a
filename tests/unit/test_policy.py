"""The dialogue policy: feeling, intent, manner, what is worth remembering."""

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.config import ROOT, Config
from device.embedding import Embedder
from device.events import Emotion, Exchange, Intent
from services.companion.diary import Diary
from services.companion.history import History
from services.companion.library import load_feelings, load_lines
from services.companion.policy.feeling import CLEAR_SHARE, EMOTIONS, FAMILIES, Feeling, Feelings
from services.companion.policy.intent import Choice, choose
from services.companion.policy.manner import objection
from services.companion.policy.noting import worth_remembering


def felt(emotion: Emotion, share: float = 0.8) -> Feeling:
    family = next((name for name, members in FAMILIES.items() if emotion in members), "")
    return Feeling(emotion, share, family, share)


def chosen(
    words: str, emotion: Emotion = "content", share: float = 0.8, past: tuple[Intent, ...] = (), heard: tuple[str, ...] = ()
) -> Choice:
    history = tuple(Exchange(user="x", beside=text) for text in heard)
    return choose(words, felt(emotion, share), history, past, None)


def head(**leaning: float) -> Feelings:
    """Directions that read the first axis of a vector as leaning to these emotions, and nothing else."""
    weights = np.zeros((384, len(EMOTIONS)), np.float32)
    for emotion, strength in leaning.items():
        weights[0, EMOTIONS.index(emotion)] = strength  # type: ignore[arg-type]  # keyword names are emotions
    return Feelings(weights, np.zeros(len(EMOTIONS), np.float32))


FIRST, SECOND = np.eye(384, dtype=np.float32)[:2]


def test_the_direction_that_fits_decides_the_feeling() -> None:
    feeling = head(lonely=9.0, joyful=3.0).read(FIRST)
    assert (feeling.emotion, feeling.family) == ("lonely", "hurt")
    assert feeling.clear


def test_a_clear_family_is_clear_although_no_emotion_leads() -> None:
    feeling = head(sad=4.0, lonely=4.0, disappointed=4.0, sentimental=4.0, content=4.1).read(FIRST)
    assert feeling.share < CLEAR_SHARE
    assert feeling.family == "hurt"
    assert feeling.clear


def test_words_that_lean_nowhere_are_not_clear() -> None:
    feeling = head(sad=9.0).read(SECOND)
    assert feeling.share < CLEAR_SHARE
    assert not feeling.clear


def test_the_shipped_directions_tell_grief_from_joy() -> None:
    embedder = Embedder(ROOT / Config().paths.models)
    feelings = load_feelings()
    assert feelings.read(embedder.embed("i miss my husband so much it hurts")).family == "hurt"
    assert feelings.read(embedder.embed("i'm so scared of the operation tomorrow")).family == "fear"
    assert feelings.read(embedder.embed("they left me lying there again it makes me furious")).family == "anger"
    assert feelings.read(embedder.embed("what a wonderful day my grandson passed his exam")).family == "bright"


@pytest.mark.parametrize(
    "words",
    ["goodbye", "good night", "Good night, Beside.", "that's all for now", "okay bye", "thank you good night", "i'm going to sleep now"],
)
def test_goodbye_is_answered_with_a_wish_and_ends_the_session(words: str) -> None:
    choice = chosen(words)
    assert (choice.intent, choice.goodbye) == ("wishing", True)


@pytest.mark.parametrize(
    "words", ["i never said goodbye to the flat", "she kissed me good night every evening", "i have to say goodbye to my dog"]
)
def test_goodbye_inside_a_story_ends_nothing(words: str) -> None:
    assert not chosen(words, "sad").goodbye


@pytest.mark.parametrize(
    "words", ["are you real", "are you a person", "who are you", "Are you a real human?", "am i talking to a machine", "what are you"]
)
def test_question_who_it_is_gets_the_fixed_sentence(words: str) -> None:
    assert chosen(words, "lonely").line == "machine_asked"


@pytest.mark.parametrize("words", ["be quiet", "leave me alone", "please be quiet now", "i want to be alone", "stop talking"])
def test_wish_for_quiet_gets_one_short_sentence(words: str) -> None:
    assert chosen(words, "angry").line == "quiet"


def test_distress_is_met_before_it_is_asked_about() -> None:
    assert chosen("nobody came today", "lonely").intent == "sympathizing"
    assert chosen("what if it goes wrong", "anxious").intent == "consoling"
    assert chosen("nobody came today", "lonely", past=("sympathizing",)).intent == "questioning"
    assert chosen("why does nobody come", "lonely").intent == "sympathizing"


def test_fact_question_is_answered_neutrally() -> None:
    assert chosen("what day is it today", "content").intent == "neutral"


def test_unclear_feeling_is_asked_about_not_guessed() -> None:
    choice = chosen("the thing over there", "sad", share=0.1)
    assert choice.intent == "questioning"
    assert "ask" in choice.why


def test_third_question_in_a_row_is_not_asked() -> None:
    heard = ("What was it like?", "And then?")
    assert chosen("the thing over there", "sad", share=0.1, heard=heard).intent != "questioning"
    assert chosen("the thing over there", "sad", share=0.1, heard=("What?", "I see.")).intent == "questioning"


def test_thanks_are_acknowledged() -> None:
    assert chosen("thank you dear", "grateful").intent == "acknowledging"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80), st.sampled_from(EMOTIONS), st.floats(0, 1), st.lists(st.sampled_from(get_args(Intent)), max_size=4))
def test_any_words_get_an_intent_and_a_reason(words: str, emotion: Emotion, share: float, past: list[Intent]) -> None:
    choice = choose(words, felt(emotion, share), (), tuple(past), "sad")
    assert choice.intent in get_args(Intent)
    assert choice.why


# ---- manner ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "clause", ["I've been in your shoes.", "I know exactly how you feel.", "How can I help you today?", "I have been there."]
)
def test_old_faults_are_objected_to(clause: str) -> None:
    assert objection(clause, [], [], 0)


def test_idea_that_was_said_already_is_dropped() -> None:
    earlier = ["Your garden has roses and a bench under the pear tree."]
    assert objection("A bench under the pear tree, and roses in your garden.", earlier, [], 0) == "repeats an idea"
    assert objection("Your sister laughed about the rain that day.", earlier, [], 0) == ""


def test_short_sympathy_may_come_again() -> None:
    assert objection("I see.", ["I see."], [], 0) == ""


def test_question_after_two_questions_is_dropped_when_something_was_said() -> None:
    assert objection("What colour was it?", [], ["The old boat."], 2) == "one question too many"
    assert objection("What colour was it?", [], [], 2) == ""  # better a question than nothing
    assert objection("And its name?", [], ["What colour was it?"], 0) == "one question too many"


# ---- memory, history, files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["my daughter anna lives in lisbon by the sea", "i worked as a baker for thirty years", "we kept bees behind the old mill house"],
)
def test_statement_about_their_life_is_worth_remembering(words: str) -> None:
    assert worth_remembering(words)


@pytest.mark.parametrize(
    "words",
    [
        "what did my daughter say yesterday evening",
        "tell me my favourite story about bees",
        "yes",
        "the weather is grey and wet today",
        "i don't know what you said",
    ],
)
def test_question_command_and_chatter_are_not(words: str) -> None:
    assert not worth_remembering(words)


def test_history_holds_what_was_heard_only() -> None:
    history = History()
    history.planned("t1", "hello", "wishing")
    history.heard("t1", "Good morning")
    history.planned("t2", "nobody came", "sympathizing")
    history.planned("t3", "broken", "neutral")
    history.dropped("t3")
    assert history.exchanges() == (Exchange(user="hello", beside="Good morning"),)
    assert history.intents(but="t2") == ("wishing",)


def test_diary_survives_a_restart_and_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "companion.json"
    Diary(path).note_machine_said("2026-01-02")
    assert Diary(path).said_machine_on == "2026-01-02"
    path.write_text("{", encoding="utf-8")
    assert Diary(path).said_machine_on == ""
    Diary(path).note_machine_said("2026-01-03")
    assert json.loads(path.read_text(encoding="utf-8")) == {"said_machine_on": "2026-01-03"}


def test_fixed_sentences_take_turns() -> None:
    lines = load_lines("en")
    first, second = lines["failed"], lines["failed"]
    assert first != second
    assert "not a person" in lines["machine_daily"]
