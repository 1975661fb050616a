"""The real voices: flite as Debian has it, Piper on a voice file written by hand."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from device.errors import EngineError
from services.speaker.flite_engine import FliteVoice
from services.speaker.piper_engine import THREADS, PiperVoice
from services.speaker.shaping import LEAD_MS, shape
from tests.piper_by_hand import write_voice

SENTENCE = "Good morning. How did you sleep?"


# ---- flite -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("voice", ["slt", "rms", "awb", "kal"])
def test_flite_speaks_loud_enough_without_clipping(voice: str) -> None:
    sound = FliteVoice(voice, 1.1, 0.9).synthesise(SENTENCE)
    assert 1200 < sound.ms < 4500
    assert 4000 < np.abs(sound.pcm.astype(int)).max() < 32000


def test_flite_has_its_own_rate_for_each_voice() -> None:
    assert FliteVoice("kal", 1.0, 0.9).synthesise("Good morning.").rate_hz == 8000
    assert FliteVoice("slt", 1.0, 0.9).synthesise("Good morning.").rate_hz == 16000


@pytest.mark.parametrize("text", [SENTENCE, "hm", "That sounds really hard,", "Fine.", "She sells sea shells."])
def test_a_clause_of_flite_begins_almost_at_once_and_ends_with_a_pause(text: str) -> None:
    sound = FliteVoice("slt", 1.1, 0.9).synthesise(text)
    shaped = shape(sound, text)
    assert 1000 * shaped.first // shaped.rate_hz <= LEAD_MS
    assert sound.ms - shaped.ms > 60
    assert abs(int(shaped.pcm[0])) < 200
    assert abs(int(shaped.pcm[-1])) < 200


def test_the_pace_stretches_what_flite_says() -> None:
    quick, slow = (shape(FliteVoice("slt", pace, 0.9).synthesise(SENTENCE), "").ms for pace in (1.0, 1.5))
    assert slow / quick == pytest.approx(1.5, abs=0.12)


def test_the_volume_scales_what_flite_says() -> None:
    soft, loud = (np.abs(FliteVoice("slt", 1.0, v).synthesise("hm").pcm.astype(int)).max() for v in (0.3, 0.9))
    assert loud / soft == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize(
    "text",
    ["-o /nowhere/at/all.wav", "--help", "she said \"yes\" and 'no'", "line one\nline two\n\nline three", "café naïve", "$HOME `ls` ;"],
)
def test_flite_reads_odd_text_as_text(text: str) -> None:
    assert FliteVoice("slt", 1.1, 0.9).synthesise(text).ms > 300


@pytest.mark.parametrize("text", ["", "   ", "...", "Привіт, Олено", "你好", "\x00"])
def test_flite_has_no_sound_for_what_it_cannot_read(text: str) -> None:
    assert FliteVoice("slt", 1.1, 0.9).synthesise(text).pcm.size == 0


def test_flite_speaks_two_thousand_characters() -> None:
    assert FliteVoice("slt", 1.1, 0.9).synthesise(("This is a long story about nothing. " * 60)[:2000]).ms > 60_000


def test_flite_is_quick() -> None:
    voice = FliteVoice("slt", 1.1, 0.9)
    took = []
    for _ in range(5):
        begin = time.monotonic()
        voice.synthesise(SENTENCE)
        took.append(time.monotonic() - begin)
    assert min(took) < 0.15


@pytest.mark.parametrize("voice", ["nosuch", "", "../etc/passwd", "http://example.org/voice"])
def test_an_unknown_flite_voice_is_named_with_those_there_are(voice: str) -> None:
    with pytest.raises(EngineError, match="slt") as failed:
        FliteVoice(voice, 1.0, 0.9)
    assert failed.value.code == "flite-voice-unknown"


def test_a_machine_without_flite_gets_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError) as failed:
        FliteVoice("slt", 1.0, 0.9)
    assert failed.value.code == "flite-missing"


def test_a_flite_that_fails_or_talks_nonsense_is_an_engine_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    voice = FliteVoice("slt", 1.0, 0.9)
    fake = tmp_path / "flite"
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    for script in ("exit 3", "echo no sound", "printf RIFF", ":"):
        fake.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        fake.chmod(0o755)
        with pytest.raises(EngineError) as failed:
            voice.synthesise("hello")
        assert failed.value.code == "flite-failed"


# ---- Piper -----------------------------------------------------------------------------------------------------------


def test_piper_speaks_and_a_longer_text_takes_longer(tmp_path: Path) -> None:
    voice = PiperVoice(write_voice(tmp_path), 1.0, 0.9)
    short, long = voice.synthesise("Yes."), voice.synthesise("Yes, I remember the garden very well.")
    assert short.rate_hz == 22050
    assert 0 < short.ms < long.ms
    assert voice.name == "piper-tone"


def test_piper_is_slower_at_a_slower_pace(tmp_path: Path) -> None:
    path = write_voice(tmp_path)
    quick, slow = (PiperVoice(path, pace, 0.9).synthesise("I remember the garden.").ms for pace in (1.0, 1.5))
    assert slow / quick == pytest.approx(1.5, abs=0.02)


def test_piper_does_not_lift_every_clause_to_full_loudness(tmp_path: Path) -> None:
    peak = np.abs(PiperVoice(write_voice(tmp_path), 1.0, 0.5).synthesise("Yes.").pcm.astype(int)).max()
    assert peak == pytest.approx(0.4 * 0.5 * 32767, rel=0.02)


def test_piper_pauses_between_two_sentences(tmp_path: Path) -> None:
    voice = PiperVoice(write_voice(tmp_path), 1.0, 0.9)
    both = voice.synthesise("Yes. No.").ms
    assert both == pytest.approx(voice.synthesise("Yes.").ms + voice.synthesise("No.").ms + 200, abs=40)


def test_piper_has_no_sound_for_no_text(tmp_path: Path) -> None:
    assert PiperVoice(write_voice(tmp_path), 1.0, 0.9).synthesise("").pcm.size == 0


def test_piper_runs_on_one_thread_that_does_not_spin(tmp_path: Path) -> None:
    options = PiperVoice(write_voice(tmp_path), 1.0, 0.9)._engine.session.get_session_options()
    assert options.intra_op_num_threads == THREADS == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_piper_voice_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_voice(tmp_path)
    Path(f"{path}.json").unlink()
    for model, code in ((None, "piper-voice-unset"), (tmp_path / "no.onnx", "piper-voice-missing"), (path, "piper-voice-missing")):
        with pytest.raises(EngineError) as failed:
            PiperVoice(model, 1.0, 0.9)
        assert failed.value.code == code
        assert failed.value.remedy


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "json-broken", "json-of-something-else", "no-phonemes"])
def test_a_broken_piper_voice_is_an_engine_error(tmp_path: Path, damage: str) -> None:
    path = write_voice(tmp_path)
    settings = Path(f"{path}.json")
    whole = path.read_bytes()
    match damage:
        case "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("not a model", encoding="ascii")
        case "json-broken":
            settings.write_text("{", encoding="ascii")
        case "json-of-something-else":
            settings.write_text("[1, 2]", encoding="ascii")
        case "no-phonemes":
            settings.write_text(json.dumps(json.loads(settings.read_text()) | {"espeak": {"voice": "nosuch-language"}}), encoding="ascii")
    with pytest.raises(EngineError) as failed:
        PiperVoice(path, 1.0, 0.9)
    assert failed.value.code in ("piper-voice-broken", "piper-failed")
