"""The listener's other pure rooms: phantoms, pre-roll, half duplex, the voice's track, Smart Turn's features."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.audio import FRAME_MS, FRAME_NS, FRAME_SAMPLES, Frame
from device.clock import NS_PER_MS
from services.listener.ears import Reading
from services.listener.half_duplex import LATE_END_MS, TAIL_MS, HalfDuplex
from services.listener.phantom import Voice, why_no_turn
from services.listener.preroll import Preroll
from services.listener.smart_turn import last_eight_seconds, log_mel
from services.listener.voice import VoiceTrack

CLEAR = Voice(voiced_ms=1200, level_dbfs=-25.0, room_dbfs=-60.0)
FAINT = Voice(voiced_ms=400, level_dbfs=-55.0, room_dbfs=-58.0)
CLICK = Voice(voiced_ms=64, level_dbfs=-20.0, room_dbfs=-60.0)


@pytest.mark.parametrize(
    ("text", "confidence", "voice", "reason"),
    [
        ("", 0.0, CLEAR, "no-words"),
        ("the", 0.9, FAINT, "phantom"),
        ("huh", 0.9, Voice(160, -25.0, -60.0), "phantom"),
        ("a cat", 0.9, CLICK, "too-short"),
        ("zebra crossing", 0.1, FAINT, "low-confidence"),
        ("zebra crossing", 0.2, CLEAR, None),
        ("zebra crossing", 0.05, CLEAR, "low-confidence"),
        ("you", 0.9, CLEAR, "phantom"),
        ("and you", 0.9, CLEAR, None),
        ("hmm", 0.9, CLEAR, None),
        ("my leg hurts", 0.9, CLEAR, None),
        ("no", 0.1, FAINT, None),
        ("help", 0.0, CLICK, None),
        ("hello", None, CLEAR, None),
    ],
)
def test_phantom_when_words_are_weighed_against_their_sound(text: str, confidence: float | None, voice: Voice, reason: str | None) -> None:
    assert why_no_turn(Reading(text, confidence), voice) == reason


@given(st.integers(1, 60), st.integers(32, 2000))
def test_preroll_when_frames_come_keeps_the_newest_in_order(count: int, length_ms: int) -> None:
    ring = Preroll(length_ms)
    frames = [Frame(np.full(FRAME_SAMPLES, number, np.int16), number * FRAME_NS) for number in range(count)]
    for frame in frames:
        ring.keep(frame)
    kept = ring.take()
    assert kept == frames[-len(kept) :]
    assert len(kept) == min(count, -(-length_ms // FRAME_MS))
    assert ring.take() == []


def test_preroll_when_built_as_the_listener_does_keeps_half_a_second() -> None:
    ring = Preroll()
    for number in range(100):
        ring.keep(Frame(np.zeros(FRAME_SAMPLES, np.int16), number * FRAME_NS))
    assert len(ring.take()) * FRAME_MS >= 500


def ms(value: int) -> int:
    return value * NS_PER_MS


def heard(gate: HalfDuplex, at_ms: int) -> str:
    return gate.hearing(ms(at_ms) - FRAME_NS, ms(at_ms))


def test_half_duplex_when_a_clause_is_said_is_deaf_until_its_tail_is_over() -> None:
    gate = HalfDuplex()
    assert heard(gate, 900) == "open"
    gate.speech_started("t", 0, ms(1000), 2000)
    assert [heard(gate, at) for at in (990, 1100, 2900)] == ["open", "deaf", "deaf"]
    gate.speech_ended("t", 0, ms(3000))
    assert [heard(gate, at) for at in (3010, 3100, 3160, 3240, 3300)] == ["deaf", "deaf", "tail", "tail", "open"]


def test_half_duplex_when_the_speaker_dies_hears_again_by_itself() -> None:
    gate = HalfDuplex()
    gate.speech_started("t", 0, ms(1000), 2000)
    assert heard(gate, 3000 + LATE_END_MS) == "deaf"
    assert heard(gate, 3000 + LATE_END_MS + TAIL_MS + 2 * FRAME_MS) == "open"


def test_half_duplex_when_an_older_clause_ends_late_stays_deaf_for_the_newer() -> None:
    gate = HalfDuplex()
    gate.speech_started("t", 0, ms(1000), 1000)
    gate.speech_started("t", 1, ms(2000), 1000)
    gate.speech_ended("t", 0, ms(2050))
    assert heard(gate, 2500) == "deaf"


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 5_000), st.booleans()), max_size=8))
def test_half_duplex_when_anything_is_said_never_stays_deaf(clauses: list[tuple[int, int, bool]]) -> None:
    gate = HalfDuplex()
    for index, (start_ms, length_ms, ended) in enumerate(clauses):
        gate.speech_started("t", index, ms(start_ms), length_ms)
        if ended:
            gate.speech_ended("t", index, ms(start_ms + length_ms))
    assert heard(gate, 10_000 + 5_000 + LATE_END_MS + TAIL_MS + 2 * FRAME_MS) == "open"


def track(shares: list[float]) -> tuple[VoiceTrack, list[bool]]:
    voice = VoiceTrack()
    return voice, [voice.hear((number + 1) * FRAME_NS, share, -30.0) for number, share in enumerate(shares)]


def test_voice_track_when_a_click_passes_begins_nothing() -> None:
    assert not any(track([0.0, 0.9, 0.9, 0.0, 0.0, 0.9, 0.0])[1])


def test_voice_track_when_someone_speaks_knows_start_end_and_silence() -> None:
    voice, began = track([0.0] * 10 + [0.9] * 20 + [0.1] * 5)
    assert began.index(True) == 12
    assert voice.start_ns == 10 * FRAME_NS
    assert voice.end_ns == 30 * FRAME_NS
    assert voice.quiet_ms == 5 * FRAME_MS
    assert voice.sound.voiced_ms == 20 * FRAME_MS


def test_smart_turn_features_when_sound_is_short_has_the_models_shape() -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int16)
    sound = last_eight_seconds(tone)
    features = log_mel(sound)
    assert features.shape == (80, 800)
    assert features.dtype == np.float32
    assert abs(float(sound.mean())) < 1e-4
    assert abs(float(sound.var()) - 1.0) < 1e-2
    assert float(features.max() - features.min()) <= 2.0 + 1e-5  # 80 dB
    band = int(features[:, 750].argmax())
    assert 10 <= band <= 13  # 440 Hz lies near mel 6.6 of 45.2, the twelfth of 80 bands
