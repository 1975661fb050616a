"""The person: another voice than Beside's, clips that end where the speech ends, and recordings of every kind."""

import shutil
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from device.audio import RATE_HZ, speech_end_sample
from device.errors import InputError
from device.rehearsal.person import recording, say, voice_for

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


def tone(seconds: float, rate_hz: int) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * 300 * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.int16)


def write(path: Path, pcm: np.ndarray, rate_hz: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.repeat(pcm, channels).tobytes())
    return path


@needs_flite
def test_voice_is_never_the_devices() -> None:
    for device_voice in ("slt", "rms", "awb", "kal", ""):
        assert voice_for(None, device_voice) != device_voice


def test_voice_unknown_names_those_that_exist() -> None:
    with pytest.raises(InputError, match="rms"):
        voice_for("darth", "slt")


@needs_flite
def test_said_text_ends_with_its_last_sound() -> None:
    clip = say("I slept badly.", "rms")
    assert clip.end == clip.pcm.size == speech_end_sample(clip.pcm)
    assert RATE_HZ // 2 < clip.end < 4 * RATE_HZ


def test_say_refuses_a_text_without_words() -> None:
    with pytest.raises(InputError, match="nothing to say"):
        say(" … ", "rms")


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (16_000, 2), (44_100, 2), (48_000, 1)])
def test_recording_of_any_rate_knows_its_true_end(tmp_path: Path, rate_hz: int, channels: int) -> None:
    sound = np.concatenate((tone(1.0, rate_hz), np.zeros(rate_hz, np.int16)))
    clip = recording(write(tmp_path / "a.wav", sound, rate_hz, channels))
    assert clip.end == pytest.approx(RATE_HZ, abs=RATE_HZ // 50)
    assert clip.pcm.size == pytest.approx(2 * RATE_HZ, abs=RATE_HZ // 100)  # played whole, its silence too


@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")
@pytest.mark.parametrize("content", [b"", b"this is a letter, not a sound", struct.pack("<I", 7) * 100])
def test_recording_that_is_no_sound_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        recording(path)
    assert "a.flac" in refused.value.sentence
    assert refused.value.remedy


def test_recording_that_is_missing_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        recording(tmp_path / "missing.wav")
