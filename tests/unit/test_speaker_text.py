"""What is spoken of a text, and what was heard of it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.speaker.voice import LONGEST_CHARS, heard, speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Good morning.", "Good morning."),
        ("**Good** _morning_ `Ann`", "Good morning Ann"),
        ("I'm glad 😀 you came!", "I'm glad you came!"),
        ("don’t “worry”", 'don\'t "worry"'),
        ("Yes — of course", "Yes, of course"),
        ("line one\nline\ttwo", "line one line two"),
        ("it costs £5 and 20%", "it costs £5 and 20%"),
        ("and then,", "and then,"),
        (", well", "well"),
        ("a\x00b\x1b[31m", "a b 31m"),
        ("😀 🎉", ""),
        ("...", ""),
        ("", ""),
        ("Привіт, Олено", "Привіт, Олено"),
    ],
)
def test_what_can_be_spoken_of_a_text(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@given(st.text(max_size=3000))
def test_speakable_text_is_short_clean_and_stays_as_it_is_when_spoken_again(text: str) -> None:
    spoken = speakable(text)
    assert len(spoken) <= LONGEST_CHARS
    assert spoken == spoken.strip()
    assert "  " not in spoken
    assert not any(ord(c) < 32 for c in spoken)
    assert speakable(spoken) == spoken


@given(st.text(string.ascii_letters + " ,.'", min_size=1, max_size=800))
def test_a_long_text_is_cut_at_a_word(text: str) -> None:
    spoken = speakable(text)
    if len(text) < LONGEST_CHARS or " " not in spoken:
        return
    assert spoken.split()[-1].strip(" ,.'") in text


@given(st.text(max_size=300), st.floats(0, 1))
def test_what_was_heard_is_a_prefix_of_whole_words(text: str, share: float) -> None:
    spoken = speakable(text)
    words = spoken.split()
    understood = heard(spoken, share).split()
    assert understood == words[: len(understood)]


@given(st.text(max_size=300), st.floats(0, 1), st.floats(0, 1))
def test_more_sound_never_means_fewer_words(text: str, one: float, other: float) -> None:
    assert len(heard(text, min(one, other)).split()) <= len(heard(text, max(one, other)).split())


def test_nothing_was_heard_when_nothing_was_played() -> None:
    assert heard("Good morning, Ann.", 0.0) == ""


def test_everything_was_heard_when_all_was_played() -> None:
    assert heard("Good morning, Ann.", 1.0) == "Good morning, Ann."


def test_half_a_word_was_not_heard() -> None:
    assert heard("one two", 0.9) == "one"
