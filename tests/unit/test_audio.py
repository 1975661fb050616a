"""Sound as numbers: level, the end of speech, another rate. And the two clocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import clock
from device.audio import RATE_HZ, level_dbfs, resample, speech_end_sample
from tests.fakes import tone


def silence(ms: int) -> np.ndarray:
    return np.zeros(ms * RATE_HZ // 1000, np.int16)


@pytest.mark.parametrize(
    ("pcm", "expected"), [(np.zeros(0, np.int16), -120.0), (silence(10), -120.0), (np.full(100, -32768, np.int16), 0.0)]
)
def test_the_level_of_nothing_and_of_everything(pcm: np.ndarray, expected: float) -> None:
    assert level_dbfs(pcm) == pytest.approx(expected, abs=0.01)


def test_half_the_height_is_six_decibels_less() -> None:
    assert level_dbfs(tone(500, height=16000)) - level_dbfs(tone(500, height=8000)) == pytest.approx(6.02, abs=0.05)


@given(st.integers(1, 300), st.integers(3, 100), st.integers(0, 300))
def test_speech_ends_where_the_last_loud_frame_ends(before_10ms: int, speech_10ms: int, after_10ms: int) -> None:
    pcm = np.concatenate([silence(10 * before_10ms), tone(10 * speech_10ms), silence(10 * after_10ms)])
    assert speech_end_sample(pcm) == (before_10ms + speech_10ms) * RATE_HZ // 100


@pytest.mark.parametrize(("below_db", "ends_ms"), [(34, 400), (36, 400), (26, 200)])
def test_what_is_far_below_the_loudest_is_no_speech(below_db: float, ends_ms: int) -> None:
    pcm = np.concatenate([tone(200, height=20000), tone(200, height=20000 // 30)])  # 29.5 dB softer
    assert speech_end_sample(pcm, below_loudest_db=below_db) == ends_ms * RATE_HZ // 1000


@pytest.mark.parametrize("pcm", [np.zeros(0, np.int16), silence(500), tone(5)])
def test_silence_has_no_end_of_speech(pcm: np.ndarray) -> None:
    assert speech_end_sample(pcm) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 400), st.sampled_from([8000, 11025, 22050, 44100, 48000]))
def test_another_rate_keeps_length_and_loudness(ms: int, rate_hz: int) -> None:
    pcm = tone(ms)
    other = resample(pcm, RATE_HZ, rate_hz)
    assert other.dtype == np.int16
    assert other.size == pytest.approx(pcm.size * rate_hz / RATE_HZ, abs=2)
    if ms > 100:
        assert level_dbfs(other) == pytest.approx(level_dbfs(pcm), abs=0.5)


def test_the_same_rate_is_the_same_array() -> None:
    pcm = tone(100)
    assert resample(pcm, RATE_HZ, RATE_HZ) is pcm


def test_full_height_does_not_wrap_around_at_another_rate() -> None:
    square = np.repeat(np.tile(np.array([32767, -32768], np.int16), 50), 40)
    other = resample(square, RATE_HZ, 22_050).astype(int)
    assert np.abs(np.diff(np.sign(other))).sum() / 2 == pytest.approx(99, abs=1)


def test_ids_are_unique_and_sort_by_time() -> None:
    ids = [clock.new_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert [i[:12] for i in ids] == sorted(i[:12] for i in ids)
    assert {len(i) for i in ids} == {22}


def test_the_monotonic_clock_counts_in_milliseconds() -> None:
    assert clock.ms_between(1_000_000, 3_500_000) == 2.5
    assert clock.now_ns() <= clock.now_ns()
