"""Recordings: silence and noise are never a turn, a pause inside a sentence is not its end, and bad files get a sentence."""

from pathlib import Path

import numpy as np
import pytest

from device.audio import RATE_HZ
from device.rehearsal.person import Clip, say
from tests.rehearsed import Rehearse


def save(path: Path, pcm: np.ndarray) -> Path:
    Clip(path.name, "", pcm.astype(np.int16), pcm.size).save(path)
    return path


def test_silence_and_noise_are_no_turns(rehearse: Rehearse, tmp_path: Path) -> None:
    silence = save(tmp_path / "silence.wav", np.zeros(2 * RATE_HZ))
    hiss = save(tmp_path / "hiss.wav", np.random.default_rng(5).normal(0, 600, 3 * RATE_HZ))
    done = rehearse("--audio", silence, hiss)
    assert done.code == 0, done.stderr
    assert done.rows == []
    assert done.stdout.count("nothing") + done.stdout.count("no words") >= 2


def test_pause_inside_a_sentence_is_not_its_end(rehearse: Rehearse, tmp_path: Path) -> None:
    first, second = say("I am worried because", "rms").pcm, say("my daughter is coming tomorrow.", "rms").pcm
    pause = np.zeros(RATE_HZ * 3 // 10)
    done = rehearse("--audio", save(tmp_path / "pause.wav", np.concatenate((first, pause, second))))
    assert done.code == 0, done.stderr
    assert len(done.rows) == 1, done.stdout
    assert "daughter" in done.rows[0]["user_text"]
    assert done.rows[0]["endpoint_ms"] > 0


@pytest.mark.parametrize(("content", "word"), [(b"", "empty"), (b"a letter", "sound"), (b"RIFF\x00\x00\x00\x00WAVE", "wav")])
def test_bad_recording_is_a_sentence_and_no_traceback(rehearse: Rehearse, tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    done = rehearse("--audio", path)
    assert done.code == 65
    assert word in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_engine_that_is_not_there_is_a_sentence_and_no_traceback(rehearse: Rehearse) -> None:
    done = rehearse("--say", "Hello.", "--tts", "piper")
    assert done.code == 70
    assert "Piper voice" in done.stderr
    assert "Traceback" not in done.stderr
