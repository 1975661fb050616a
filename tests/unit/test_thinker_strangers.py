"""Nobody is called by a name that was never spoken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.thinker.clauses import without_strangers


@pytest.mark.parametrize(
    ("clause", "known", "said"),
    [
        ("Take your time, Georg.", "Rose it's just that", "Take your time."),
        ("Take your time, Rose.", "Rose it's just that", "Take your time, Rose."),
        ("Georg, that is hard.", "", "That is hard."),
        ("That was Tom, your husband.", "tom died", "That was Tom, your husband."),
        (" Georg.", "", ""),
        ("Good morning, Rose. I am listening.", "rose", "Good morning, Rose. I am listening."),
        ("Yes, that is so.", "", "Yes, that is so."),
        ("We can talk again, Sunday.", "", "We can talk again, Sunday."),
        ("No.", "", "No."),
    ],
)
def test_a_name_that_nobody_spoke_is_taken_out(clause: str, known: str, said: str) -> None:
    assert without_strangers(clause, known) == said


@given(st.text(max_size=80), st.text(max_size=40))
def test_nothing_is_added(clause: str, known: str) -> None:
    assert len(without_strangers(clause, known)) <= len(clause) + 1
