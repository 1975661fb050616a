"""The mirror: plain statements turned round, everything else left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.workshop.mirror import mirror
from models.workshop.reflect import load_tails, tail


@pytest.mark.parametrize(
    ("said", "turned"),
    [
        ("i miss my garden", "You miss your garden."),
        ("well i was afraid of the dark", "You were afraid of the dark."),
        ("my son doesn't call me", "Your son doesn't call you."),
        ("they're moving me upstairs", "They're moving you upstairs."),
        ("i'm ninety three", "You are ninety three."),
        ("my daughter comes on sunday", "Your daughter comes on Sunday."),
        ("the soup was cold again", "The soup was cold again."),
        ("in the old tin", "In the old tin."),
    ],
)
def test_a_plain_statement_is_turned_round(said: str, turned: str) -> None:
    assert mirror(said) == turned


@pytest.mark.parametrize(
    "said",
    [
        "are you a machine", "i want to die", "what time is it", "i was going to", "yes", "you don't understand me", "please help me",
        "he's good he files it till it fits", "i am a burden to them", "thank you dear", "i love you",
        "they promise i will get better", "i stopped my tablets", "",
    ],
)  # fmt: skip
def test_a_question_a_broken_or_a_dark_sentence_is_left_alone(said: str) -> None:
    assert mirror(said) == ""


@given(st.text(max_size=120))
def test_anything_gives_one_sentence_or_nothing(said: str) -> None:
    turned = mirror(said)
    assert turned == "" or (turned.endswith(".") and len(turned.split()) <= 24)


def test_every_intent_has_second_sentences_for_every_feeling() -> None:
    import random

    tails = load_tails()
    assert len(tails) == 9
    for intent in tails:
        for feeling in ("sad", "afraid", "angry", "joyful", "surprised", ""):
            assert tail(tails, intent, feeling, random.Random(0)).rstrip().endswith((".", "?"))
