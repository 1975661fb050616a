"""The breath around a clause."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.speaker.shaping import LEAD_MS, PAUSE_MS, SHORTEST_PAUSE_MS, shape
from services.speaker.voice import Sound
from tests.fakes import tone

RATE = 16_000


def silence(ms: int, offset: int = 0) -> np.ndarray:
    return np.full(ms * RATE // 1000, offset, np.int16)


def test_a_long_lead_is_cut_to_a_breath() -> None:
    shaped = shape(Sound(np.concatenate([silence(240), tone(500), silence(150)]), RATE), "Yes.")
    assert 1000 * shaped.first // RATE <= LEAD_MS
    assert shaped.ms == pytest.approx(LEAD_MS + 500 + PAUSE_MS["."], abs=25)


def test_a_constant_offset_counts_as_silence() -> None:
    pcm = np.concatenate([silence(240, 130), tone(500) + np.int16(130), silence(150, 130)]).astype(np.int16)
    shaped = shape(Sound(pcm, RATE), "Yes.")
    assert shaped.ms == pytest.approx(LEAD_MS + 500 + PAUSE_MS["."], abs=25)


@pytest.mark.parametrize(
    ("text", "pause_ms"), [("Yes.", 220), ('"Yes!"', 220), ("well,", 120), ("I went to the", SHORTEST_PAUSE_MS), ("", SHORTEST_PAUSE_MS)]
)
def test_the_punctuation_asks_for_the_pause(text: str, pause_ms: int) -> None:
    shaped = shape(Sound(tone(400), RATE), text)
    assert 1000 * (shaped.pcm.size - shaped.last) // RATE == pytest.approx(pause_ms, abs=20)


def test_both_edges_rise_from_and_fall_to_zero() -> None:
    shaped = shape(Sound(np.full(8000, 9000, np.int16) + tone(500), RATE), "Yes.")
    assert abs(int(shaped.pcm[0])) < 100
    assert abs(int(shaped.pcm[-1])) < 100


@pytest.mark.parametrize("pcm", [np.zeros(0, np.int16), silence(500), silence(500, 200), tone(500, height=20)])
def test_nothing_audible_is_nothing(pcm: np.ndarray) -> None:
    assert shape(Sound(pcm, RATE), "Yes.").pcm.size == 0


def test_the_pauses_carry_no_words() -> None:
    shaped = shape(Sound(tone(500), RATE), "Yes.")
    assert shaped.share(0) == 0.0
    assert shaped.share(shaped.last) == 1.0
    assert shaped.share(shaped.pcm.size) == 1.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(0, 800), st.integers(0, 400), st.sampled_from([8000, 16000, 22050]), st.text(max_size=5))
def test_shaping_never_loses_audible_sound(lead_ms: int, tone_ms: int, tail_ms: int, rate: int, text: str) -> None:
    pcm = np.concatenate([np.zeros(lead_ms * rate // 1000, np.int16), tone(tone_ms, rate), np.zeros(tail_ms * rate // 1000, np.int16)])
    shaped = shape(Sound(pcm, rate), text)
    assert 0 <= shaped.first <= shaped.last <= shaped.pcm.size
    if tone_ms >= 20:
        assert shaped.last - shaped.first >= (tone_ms - 15) * rate // 1000
