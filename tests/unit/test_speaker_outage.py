"""When guardian is gone: one sentence an outage, then silence."""

from hypothesis import given
from hypothesis import strategies as st

from services.speaker.outage import FIRST_NS, GONE_NS, NS_PER_S, Outage


def test_nothing_is_due_while_guardian_is_there() -> None:
    outage = Outage(0)
    outage.guardian(True, 1)
    assert not outage.sentence_due(1000 * NS_PER_S)
    assert not outage.silent


def test_the_sentence_is_due_once_after_two_seconds_and_silence_follows() -> None:
    outage = Outage(0)
    outage.guardian(True, 1)
    outage.guardian(False, 10 * NS_PER_S)
    assert not outage.sentence_due(12 * NS_PER_S - 1)
    assert outage.sentence_due(12 * NS_PER_S)
    assert not outage.sentence_due(13 * NS_PER_S)
    assert outage.silent


def test_a_short_absence_is_not_worth_a_word() -> None:
    outage = Outage(0)
    outage.guardian(True, 1)
    outage.guardian(False, 10 * NS_PER_S)
    outage.guardian(True, 11 * NS_PER_S)
    assert not outage.sentence_due(20 * NS_PER_S)


def test_a_guardian_that_never_comes_is_an_outage_after_half_a_minute() -> None:
    outage = Outage(0)
    outage.guardian(False, 1)
    assert not outage.sentence_due(FIRST_NS - 1)
    assert outage.sentence_due(FIRST_NS)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5 * NS_PER_S)), max_size=40))
def test_there_is_at_most_one_sentence_between_two_returns(story: list[tuple[bool, int]]) -> None:
    outage, now, due = Outage(0), 0, 0
    for there, waited in story:
        now += waited
        outage.guardian(there, now)
        due = 0 if there else due + outage.sentence_due(now)
        assert due <= 1
        assert outage.silent == (due == 1) or now < GONE_NS
        assert not (there and outage.silent)
