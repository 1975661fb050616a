"""Every rule in both directions, from the examples beside it; and the judgement as a whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import ConfigError
from services.guardian.judge import calls_for_help, judge, read
from services.guardian.library import load_rules
from services.guardian.rules import Rule, compile_rules, normalise

RULES = load_rules("en")
EVERY = pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)


def fires(rule: Rule, text: str) -> bool:
    plain = normalise(text)
    return bool(rule.pattern.fullmatch(plain.replace(" . ", " ")) if rule.whole else rule.pattern.search(plain))


@EVERY
def test_rule_fires_on_its_hits(rule: Rule) -> None:
    assert [text for text in rule.hits if not fires(rule, text)] == []


@EVERY
def test_rule_is_silent_on_what_passes(rule: Rule) -> None:
    assert rule.passes
    assert [text for text in rule.passes if fires(rule, text)] == []


@pytest.mark.parametrize("rule", [r for r in RULES.rules if r.kind not in ("vet", "benign")], ids=lambda rule: rule.id)
def test_hits_reach_their_level(rule: Rule) -> None:
    for text in rule.hits:
        assert read(text, RULES).level in (rule.level, "T1"), text


@pytest.mark.parametrize("rule", RULES.of("benign"), ids=lambda rule: rule.id)
def test_benign_use_keeps_its_level(rule: Rule) -> None:
    for text in rule.hits:
        assert read(text, RULES).level == rule.level, text


def test_punctuation_and_contractions_make_no_difference() -> None:
    for text in ("I don't want to live.", "i dont want to live", "I do not want to LIVE!", "i don’t want to live"):
        assert read(text, RULES).level == "T1", text


def test_stammering_makes_no_difference() -> None:
    assert read("i i want to to um kill kill myself", RULES).level == "T1"


def test_idiom_beside_an_explicit_wish_hides_nothing() -> None:
    assert read("this headache is killing me and i want to die", RULES).level == "T1"
    assert read("my brother killed himself and now i want to kill myself", RULES).level == "T1"


def test_alternative_reading_only_makes_beside_ask() -> None:
    heard = judge("i want to fill my shelf", ("i want to kill myself",), RULES)
    assert (heard.level, heard.kind) == ("T2", "crisis")
    assert judge("i want to kill myself", ("i want to fill my shelf",), RULES).level == "T1"


def test_medical_emergency_goes_before_crisis() -> None:
    assert read("i took all my pills because i want to die", RULES).kind == "medical"


def test_help_on_a_partial_only_when_it_is_everything() -> None:
    assert calls_for_help("help me please", RULES).level == "T1"
    assert calls_for_help("help me with", RULES).level == "none"
    assert calls_for_help("", RULES).level == "none"


def test_judgement_carries_rule_and_version() -> None:
    assert read("i want to kill myself", RULES).rules == (f"crisis.kill-myself@{RULES.version}",)


def test_broken_rule_is_named() -> None:
    broken = {"kind": "crisis", "level": "T1", "rules": [{"id": "x.y", "why": "w", "patterns": ["("], "hits": [], "passes": []}]}
    with pytest.raises(ConfigError, match=r"x\.y"):
        compile_rules({"version": 1, "macros": {}}, [broken])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_anything_can_be_judged(text: str) -> None:
    assert judge(text, (text[::-1],), RULES).level in ("none", "T3", "T2", "T1")


WORDS = ("i", "want", "to", "die", "kill", "myself", "not", "my", "brother", "help", "nurse", "film", ".", "can", "breathe", "hit", "me")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=25))
def test_more_words_of_a_stranger_never_lower_a_sentence(words: list[str]) -> None:
    """A further sentence can raise the level of what was said, never lower it."""
    rank = ("none", "T3", "T2", "T1").index
    assert rank(read("i want to kill myself . " + " ".join(words), RULES).level) == 3 or "brother" in words or "film" in words
