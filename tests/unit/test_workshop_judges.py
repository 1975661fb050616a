"""The judges, the baselines and the noise, on sentences whose answer a person can see."""

import random

import pytest

from models.workshop.baselines import nearest_exemplar, reflector
from models.workshop.corpus import Dialogue, Exchange
from models.workshop.judges import GrammarJudge, IntentJudge, distinct_2, forbidden, repeats, takes_up
from models.workshop.noise import disturb
from models.workshop.reflect import swap, twin
from models.workshop.words import Index, content, stem


def test_content_taken_up_sees_other_forms_and_ignores_small_words():
    assert takes_up("Knitting by the window. That sounds calm.", "i used to knit") is True
    assert takes_up("I am here with you.", "i miss my garden") is False
    assert takes_up("I am here.", "oh well") is None
    assert stem("stopped") == stem("stops")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("You could take another tablet.", "dose"),
        ("You may have an infection.", "diagnosis"),
        ("You will be fine, I promise.", "promise"),
        ("I will call the nurse.", "promise"),
        ("I know how you feel.", "human life"),
        ("You could stop eating.", "method"),
    ],
)
def test_forbidden_content_is_found(reply: str, kind: str):
    assert kind in forbidden(reply)


@pytest.mark.parametrize(
    "reply", ["The nurse knows about the tablets.", "I don't know. The doctor can tell you.", "You miss your garden. It was yours."]
)
def test_harmless_reply_is_not_forbidden(reply: str):
    assert forbidden(reply) == []


def test_intent_judge_asks_by_rule_and_learns_the_rest():
    judge = IntentJudge([("May you sleep well.", "wishing"), ("I wish you a calm night.", "wishing"), ("You are cold.", "acknowledging")])
    assert judge.ranked("What was it like?")[0] == "questioning"
    assert judge.ranked("I wish you a calm morning.")[0] == "wishing"


def test_grammar_judge_sees_broken_seams():
    judge = GrammarJudge(["You miss your garden.", "That was in the spring.", "The night is long."])
    assert judge.passes("You miss the spring.")  # nobody wrote "miss the", but "miss" carries meaning: such a pair is free
    assert not judge.passes("The in was spring.")  # a pair of small words that nobody wrote
    assert judge.passes("You miss your night.")
    assert not judge.passes("You miss your your garden.")
    assert not judge.passes("you miss your garden.")
    assert not judge.passes("You miss your gardn.")
    assert judge.passes("You miss your gardn.", given="my gardn")


def test_repeats_and_distinct_pairs_are_counted():
    assert repeats(["I hear you. Go on.", "I hear you. Yes."]) == (1, 4)
    assert distinct_2(["a b a b"]) == pytest.approx(2 / 3)


def test_baselines_answer():
    bank = [
        Exchange("i miss my garden", "sad", "You miss it, {name}.", "neutral"),
        Exchange("my knee hurts", "sad", "Your knee.", "neutral"),
    ]
    assert nearest_exemplar(bank)("Rose", "oh i do miss the garden") == "You miss it, Rose."
    assert reflector(1)("", "i miss my garden") in ("Tell me more about your garden.", "Why do you say that about your garden?")


def test_noise_leaves_what_the_answer_takes_up():
    line = "my sister rose wound the clock on a sunday"
    for seed in range(300):
        heard = disturb(line, content("Rose wound the clock every Sunday.") | {"sister"}, random.Random(seed), amount=1.0).split()
        assert {"sister", "rose", "wound", "clock", "sunday"} <= set(heard)


def test_swap_puts_one_noun_on_both_sides_and_fits_the_article():
    exchange = Exchange("i lost a hat", "sad", "A hat. Where did you lose the hat?", "questioning")
    alone = Dialogue("t", "", (), "", (exchange,), "x:1")
    assert {swap(alone, 0, ["umbrella"], random.Random(n)).exchanges[0] for n in range(20)} == {
        exchange,
        Exchange("i lost an umbrella", "sad", "An umbrella. Where did you lose the umbrella?", "questioning"),
    }
    twins = {twin(exchange, ["umbrella"], random.Random(n)) for n in range(20)}
    assert twins == {None, "An umbrella. Where did you lose the umbrella?"}
    assert twin(Exchange("oh well", "sad", "I am here.", "neutral"), ["umbrella"], random.Random(2)) is None


def test_index_finds_the_nearest_by_rare_words():
    index = Index(["the clock is loud", "my dog is old", "my cat is old"])
    assert index.nearest("that loud clock", 1)[0][0] == 0
