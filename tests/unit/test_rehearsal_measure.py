"""The arithmetic of `make measure`."""

from hypothesis import given
from hypothesis import strategies as st

from device.rehearsal.measure import spread, word_errors, words


def test_words_are_what_a_recogniser_could_have_written() -> None:
    assert words("I didn't sleep, Tom.") == ["i", "didn't", "sleep", "tom"]


def test_substitutions_deletions_and_insertions_are_counted() -> None:
    said = words("i miss my garden")
    assert word_errors(said, said) == 0
    assert word_errors(said, words("i miss the garden")) == 1
    assert word_errors(said, words("i miss garden")) == 1
    assert word_errors(said, words("oh i miss my garden")) == 1
    assert word_errors(said, []) == 4


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_word_errors_are_symmetric_and_bounded(a: list[str], b: list[str]) -> None:
    assert word_errors(a, b) == word_errors(b, a)
    assert abs(len(a) - len(b)) <= word_errors(a, b) <= max(len(a), len(b))


def test_spread_leaves_out_what_was_not_measured() -> None:
    assert spread([None, 100.0, 300.0, 200.0]) == {"n": 3, "median": 200, "p95": 300}
    assert spread([]) == {"n": 0}
