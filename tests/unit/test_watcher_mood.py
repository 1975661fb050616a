"""The mood: smoothed, unsure when in doubt, forgotten when nobody is there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.watcher.mood import FROZEN, LABELS, Mood, blind_because

SECOND = 1_000_000_000
HAPPY = np.eye(len(LABELS), dtype=np.float32)[LABELS.index("happy")]
SAD = np.eye(len(LABELS), dtype=np.float32)[LABELS.index("sad")]
EVEN = np.full(len(LABELS), 1 / len(LABELS), np.float32)
SCENE = np.random.default_rng(0).integers(60, 200, (48, 64, 3), dtype=np.uint8)


def test_one_picture_is_not_a_mood() -> None:
    assert Mood().seen(HAPPY, 0).top() == ()


def test_a_steady_face_is_believed_and_gives_three_labels() -> None:
    mood = Mood().seen(HAPPY, 0).seen(HAPPY, SECOND // 2)
    assert mood.top()[0][0] == "happy"
    assert len(mood.top()) == 3


def test_a_face_without_a_leader_is_unsure() -> None:
    assert Mood().seen(EVEN, 0).seen(EVEN, SECOND).top() == ()


def test_one_grimace_does_not_turn_a_smile_into_sadness() -> None:
    mood = Mood()
    for i in range(6):
        mood = mood.seen(HAPPY, i * SECOND // 2)
    assert mood.seen(SAD, 3 * SECOND).top()[0][0] == "happy"


def test_a_lasting_change_is_followed_within_four_seconds() -> None:
    mood = Mood()
    for i in range(6):
        mood = mood.seen(HAPPY, i * SECOND // 2)
    for i in range(6, 14):
        mood = mood.seen(SAD, i * SECOND // 2)
    assert mood.top()[0][0] == "sad"


def test_an_old_mood_is_forgotten_when_the_face_is_gone() -> None:
    assert Mood().seen(HAPPY, 0).seen(HAPPY, SECOND).unseen().top() == ()


def test_a_black_picture_is_not_looked_at() -> None:
    assert blind_because(np.zeros((48, 64, 3), np.uint8), None, 0) == "black"


def test_a_frozen_picture_is_noticed_and_a_living_one_is_not() -> None:
    assert blind_because(SCENE, SCENE, FROZEN - 1) == "frozen"
    assert blind_because(SCENE + 1, SCENE, 0) == ""


@given(st.lists(st.tuples(st.lists(st.floats(0, 1), min_size=7, max_size=7), st.integers(0, 5 * SECOND)), max_size=20))
def test_shares_stay_shares(pictures: list[tuple[list[float], int]]) -> None:
    mood, now = Mood(), 0
    for raw, step in pictures:
        now += step
        shares = np.asarray(raw, np.float32)
        mood = mood.seen(shares / shares.sum() if shares.sum() > 0 else EVEN, now)
    assert all(0.0 <= share <= 1.0 for _, share in mood.top())
