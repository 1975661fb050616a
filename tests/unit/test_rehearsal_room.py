"""The rehearsal's acoustics: level, delay and decay of the echo, and where the loudspeaker's chunks stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.audio import FRAME_SAMPLES, RATE_HZ
from device.rehearsal.room import (
    ECHO_DB,
    ECHO_DELAY_MS,
    GAP_SAMPLES,
    TRACK_SAMPLES,
    Echo,
    Placer,
    Track,
    late_p99_ms,
    mix,
    room_response,
)


def echo_of(pcm: np.ndarray, frames: int) -> np.ndarray:
    track, echo = Track(), Echo(room_response())
    track.put(0, pcm)
    return np.concatenate([echo.frame(track, k * FRAME_SAMPLES) for k in range(frames)])


def test_echo_of_a_click_comes_after_80_ms_and_decays() -> None:
    click = np.zeros(16, np.int16)
    click[0] = 20_000
    wet = echo_of(click, 20)
    first = int(np.flatnonzero(np.abs(wet) > 1.0)[0])
    assert first == ECHO_DELAY_MS * RATE_HZ // 1000
    early, late = wet[first : first + 800], wet[first + 2400 : first + 3200]
    assert np.sum(late**2) < 0.05 * np.sum(early**2)


def test_echo_of_noise_is_15_db_below_the_loudspeaker() -> None:
    noise = np.random.default_rng(1).normal(0, 3000, RATE_HZ * 2).astype(np.int16)
    wet = echo_of(noise, 60)[8000:]
    level_db = 10 * np.log10(np.mean(wet**2) / np.mean(noise.astype(float) ** 2))
    assert level_db == pytest.approx(ECHO_DB, abs=0.7)


def test_echo_is_the_same_however_the_frames_fall() -> None:
    noise = np.random.default_rng(2).normal(0, 3000, 4000).astype(np.int16)
    whole = np.convolve(noise.astype(float), room_response())
    wet = echo_of(noise, 15)
    begin = ECHO_DELAY_MS * RATE_HZ // 1000
    assert np.allclose(wet[begin : begin + 4000], whole[:4000], atol=1.0)


def test_silence_has_no_echo() -> None:
    assert not echo_of(np.zeros(100, np.int16), 3).any()


@given(at=st.integers(0, 10 * TRACK_SAMPLES), size=st.integers(1, 4000))
def test_track_gives_back_what_was_put_wherever_it_stands(at: int, size: int) -> None:
    track = Track()
    pcm = np.arange(1, size + 1, dtype=np.int16)
    track.put(at, pcm)
    assert np.array_equal(track.take(at, size), pcm)
    track.clear(at, size)
    assert not track.take(at, size).any()


@given(jitter=st.lists(st.integers(-GAP_SAMPLES + 1, GAP_SAMPLES - 1), min_size=2, max_size=50))
def test_chunks_stay_seamless_when_the_sender_is_a_little_early_or_late(jitter: list[int]) -> None:
    placer = Placer()
    places = [placer.place(10_000 + 320 * k + (shift if k else 0), 320) for k, shift in enumerate(jitter)]
    assert places == [10_000 + 320 * k for k in range(len(jitter))]


def test_chunk_after_a_pause_stands_where_it_came() -> None:
    placer = Placer()
    placer.place(1_000, 320)
    assert placer.place(9_000, 320) == 9_000


def test_mix_is_limited_not_wrapped() -> None:
    loud = np.full(FRAME_SAMPLES, 32_000, np.int16)
    mixed = mix(loud, np.full(FRAME_SAMPLES, 20_000.0, np.float32), np.random.default_rng(3))
    assert mixed.min() == 32_767


def test_lateness_of_nothing_is_zero() -> None:
    assert late_p99_ms([]) == 0.0
    assert late_p99_ms([1.0] * 99 + [50.0]) > 1.0
