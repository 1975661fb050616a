import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.thinker.recall import NEAR_ENOUGH, Found, Kept, choose, sentence


def row(text: str, number: int = 1, who: str = "Maria", session: str = "old", at: float = 1.0) -> Kept:
    return Kept(f"m{number}", text, who, "said", session, at)


def chosen(*found: Found, who: str = "Maria", session: str = "now", said: tuple[str, ...] = (), most: int = 2) -> list[str]:
    return [r.text for r in choose(found, who=who, session=session, said=said, most=most)]


def test_nearest_come_first_and_no_more_than_wanted():
    found = [Found(row(text, n), like) for n, (text, like) in enumerate([("bees", 0.5), ("roses", 0.8), ("the sea", 0.6), ("a dog", 0.1)])]
    assert chosen(*found) == ["roses", "the sea"]
    assert chosen(*found, most=0) == []


def test_memory_is_left_out_when_it_is_far():
    assert chosen(Found(row("my sister kept bees"), NEAR_ENOUGH - 0.01)) == []


def test_memory_of_another_person_is_never_told():
    assert chosen(Found(row("my sister kept bees", who="Karl"), 0.9)) == []
    assert chosen(Found(row("my sister kept bees", who=""), 0.9)) == ["my sister kept bees"]


def test_memory_is_left_out_when_it_was_said_in_this_conversation():
    found = Found(row("my sister kept bees"), 0.9)
    assert chosen(found, said=("well my sister kept bees",)) == []
    assert chosen(Found(row("my sister kept bees", session="now"), 0.9)) == []
    assert chosen(found, said=("i was stung",)) == ["my sister kept bees"]


def test_one_is_enough_when_two_memories_say_the_same():
    assert chosen(Found(row("my sister kept bees", 1, at=1.0), 0.9), Found(row("my sister kept bees", 2, at=2.0), 0.9)) == [
        "my sister kept bees"
    ]


@given(
    st.lists(st.builds(Found, st.builds(row, st.text(max_size=20), st.integers(0, 9)), st.floats(-1, 1)), max_size=12), st.integers(0, 5)
)
def test_choice_never_exceeds_its_limits(found, most):
    picked = choose(found, who="Maria", session="now", said=("hello there",), most=most)
    assert len(picked) <= most
    assert all(any(f.row is r and f.likeness >= NEAR_ENOUGH for f in found) for r in picked)


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        ("my sister kept bees", "said", "You told me that your sister kept bees."),
        ("I was a baker", "said", "You told me that you were a baker."),
        ("You told me that you love tea.", "said", "You told me that you love tea."),
        ("She likes the window open", "family", "Your family told me: She likes the window open."),
        ("hard of hearing on the left", "caregiver", "Your nurse told me: hard of hearing on the left."),
    ],
)
def test_memory_is_turned_round_when_beside_speaks_of_it(text, source, expected):
    assert sentence(text, source) == expected
