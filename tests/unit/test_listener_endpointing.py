"""When is a turn over? Tables of phrases, and properties that hold for every pause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.listener.endpointing import LONGEST_PATIENCE_MS, Limits, Pause, needed_quiet_ms, turn_over
from services.listener.last_words import openness
from services.listener.patience import SLOWEST_QUICK_MS, Patience

LIMITS = Limits(quick_ms=200, ceiling_ms=1000, longest_ms=120_000)
SHARES = st.none() | st.floats(0.0, 1.0)
PHRASES = st.sampled_from(["", "my leg hurts", "i could not sleep because", "i want", "the", "yes i am", "can i", "tell me about the"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("i could not sleep because", "surely-open"),
        ("my leg hurts and my", "surely-open"),
        ("i want", "open"),
        ("my daughter is coming on", "surely-open"),
        ("come on", "closed"),
        ("i think that", "open"),
        ("", "open"),
        ("my leg hurts", "closed"),
        ("yes i am", "closed"),
        ("why", "closed"),
        ("so do i", "closed"),
        ("i miss her", "closed"),
    ],
)
def test_last_words_when_a_phrase_can_or_cannot_end(words: str, expected: str) -> None:
    assert openness(words) == expected


@pytest.mark.parametrize(
    ("words", "finished", "quiet_ms", "decided"),
    [
        ("my leg hurts", 0.9, 199, None),
        ("my leg hurts", 0.9, 200, "model-and-words"),
        ("my leg hurts", 0.3, 599, None),
        ("my leg hurts", 0.3, 600, "silence"),
        ("my leg hurts", 0.01, 999, None),
        ("my leg hurts", 0.01, 1000, "ceiling"),
        ("my leg hurts", None, 600, "silence"),
        ("i want", 0.9, 999, None),
        ("i want", 0.9, 1000, "ceiling"),
        ("i want", 0.1, 1499, None),
        ("i want", 0.1, 1500, "ceiling"),
        ("i hurt because", 0.99, 1999, None),
        ("i hurt because", 0.99, 2000, "ceiling"),
    ],
)
def test_turn_over_when_model_and_words_say(words: str, finished: float | None, quiet_ms: int, decided: str | None) -> None:
    assert turn_over(Pause(quiet_ms, 2000, words, finished), LIMITS) == decided


@given(PHRASES, SHARES, st.integers(100, 1000), st.integers(500, 3500))
def test_needed_quiet_when_anything_is_said_stays_within_the_limits(
    words: str, share: float | None, quick_ms: int, ceiling_ms: int
) -> None:
    needed_ms, _ = needed_quiet_ms(Pause(0, 1000, words, share), Limits(quick_ms, ceiling_ms))
    assert min(quick_ms, ceiling_ms) <= needed_ms <= LONGEST_PATIENCE_MS


@given(PHRASES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_needed_quiet_when_the_model_is_surer_is_never_longer(words: str, one: float, other: float) -> None:
    waits = [needed_quiet_ms(Pause(0, 1000, words, share), LIMITS)[0] for share in sorted((one, other))]
    assert waits[1] <= waits[0]


@given(PHRASES, SHARES, st.integers(0, 4000), st.integers(0, 119_000))
def test_turn_over_when_the_person_is_still_voiced_never_ends(words: str, share: float | None, quiet_ms: int, spoken_ms: int) -> None:
    assert turn_over(Pause(0, spoken_ms, words, share), LIMITS) is None
    if turn_over(Pause(quiet_ms, spoken_ms, words, share), LIMITS):
        assert turn_over(Pause(quiet_ms + 100, spoken_ms, words, share), LIMITS)


def test_turn_over_when_a_monologue_is_long_waits_for_a_breath() -> None:
    assert turn_over(Pause(0, 121_000, "and then", 0.0), LIMITS) is None
    assert turn_over(Pause(100, 121_000, "and then", 0.0), LIMITS) == "too-long"
    assert turn_over(Pause(0, 132_000, "and then", 0.0), LIMITS) == "too-long"


def test_patience_when_a_person_pauses_long_grows_with_them() -> None:
    patience = Patience(LIMITS)
    for _ in range(20):
        patience.paused(1400)
    assert 1700 <= patience.limits.ceiling_ms <= 1800


def test_patience_when_someone_was_cut_off_waits_longer_and_counts() -> None:
    patience = Patience(LIMITS)
    patience.ended("ceiling")
    assert patience.went_on(1300, "ceiling")
    assert (patience.turns, patience.cut_offs, patience.slow_ends) == (1, 1, 1)
    assert patience.limits.ceiling_ms >= 1500
    assert patience.went_on(700, "model-and-words")
    assert patience.limits.quick_ms == 300


def test_patience_when_the_next_words_come_late_or_are_a_piece_counts_no_cut_off() -> None:
    patience = Patience(LIMITS)
    assert not patience.went_on(9000, "ceiling")
    assert not patience.went_on(10, "too-long")
    assert patience.cut_offs == 0


@given(st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from(["model-and-words", "silence", "ceiling", "too-long"])), max_size=80))
def test_patience_when_anything_happens_stays_within_human_limits(pauses: list[tuple[int, str]]) -> None:
    patience = Patience(LIMITS)
    for pause_ms, by in pauses:
        patience.paused(pause_ms)
        patience.ended(by)  # type: ignore[arg-type]  # the strategy's strings are the literals
        patience.went_on(pause_ms, by)  # type: ignore[arg-type]
    assert LIMITS.quick_ms <= patience.limits.quick_ms <= SLOWEST_QUICK_MS
    assert LIMITS.ceiling_ms <= patience.limits.ceiling_ms <= LONGEST_PATIENCE_MS
