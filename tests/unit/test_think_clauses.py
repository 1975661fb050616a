import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.thinker.clauses import Splitter, spoken, unfinished

SPEECH = st.lists(
    st.sampled_from(
        [
            "You",
            "miss",
            "your",
            "garden",
            ".",
            " ",
            "  ",
            ",",
            "?",
            "!",
            "Mr.",
            "3",
            "3.5",
            "10:30",
            ";",
            "\u2026",
            '"',
            "roses",
            "and",
            " - ",
            "\n",
            "é",
            "e.g.",
        ]
    ),
    max_size=60,
).map("".join)


def clauses(text: str, size: int = 3) -> list[str]:
    splitter = Splitter()
    found = [c for at in range(0, len(text), size) for c in splitter.feed(text[at : at + size])]
    return [*found, splitter.end()]


@given(st.one_of(SPEECH, st.text(max_size=600)), st.integers(1, 9))
def test_joined_clauses_are_the_text_however_it_arrives(text, size):
    assert "".join(clauses(text, size)) == text


@given(SPEECH, st.integers(1, 9), st.integers(1, 9))
def test_clauses_are_the_same_however_the_text_arrives(text, one, other):
    assert [c for c in clauses(text, one) if c] == [c for c in clauses(text, other) if c]


@given(SPEECH)
def test_every_clause_but_the_last_is_long_enough_to_be_spoken(text):
    for clause in clauses(text)[:-1]:
        assert len(clause.split()) >= 3
        assert len(clause.strip()) >= 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You miss your garden. What grew there?", ["You miss your garden. ", "What grew there?"]),
        ("Oh, Maria. That is a long night.", ["Oh, Maria. That is a long night."]),
        ("Mr. Brown and Dr. Lee were here today. Good.", ["Mr. Brown and Dr. Lee were here today. ", "Good."]),
        ("It is 10:30 and 3.5 degrees outside. Cold.", ["It is 10:30 and 3.5 degrees outside. ", "Cold."]),
        ("There were 1, 2, 3 birds at the window. Yes.", ["There were 1, 2, 3 birds at the window. ", "Yes."]),
        ("You miss your garden so much, and the roses.", ["You miss your garden so much, ", "and the roses."]),
        ('He said "I am well." That is good to hear.', ['He said "I am well." ', "That is good to hear."]),
    ],
)
def test_text_is_cut_where_a_voice_would_pause(text, expected):
    assert [c for c in clauses(text) if c] == expected


def test_first_clause_comes_before_the_text_is_over():
    splitter = Splitter()
    assert splitter.feed("You miss your garden. What") == ["You miss your garden. "]


def test_text_without_punctuation_is_cut_between_words():
    found = clauses("and then " * 100)
    assert all(len(c) <= 241 for c in found)
    assert all(c.endswith(" ") for c in found[:-1])


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("*smiles* Hello there.", "Hello there."),
        ("**You** miss it.", "You miss it."),
        ("(quietly) ", ""),
        ("\u2026", ""),
        ("a\x18b \ufffd c", "a b c"),
    ],
)
def test_only_what_a_voice_can_say_is_left(clause, expected):
    assert spoken(clause) == expected


@pytest.mark.parametrize(("text", "expected"), [("You miss", True), ("You miss it.", False), ('"Yes."', False), ("", True), ("and,", True)])
def test_unfinished_when_no_sentence_ends_it(text, expected):
    assert unfinished(text) is expected
