"""The person of the rehearsal: texts spoken in a voice that is not Beside's, or recordings of any kind, as 16 kHz clips.

Each clip ends where its speech ends, so the true end of speech is the clip's last sample.
"""

import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.audio import RATE_HZ, Pcm, level_dbfs, resample, speech_end_sample
from device.errors import InputError
from device.wav import read_wav

FLITE_VOICES = ("rms", "awb", "kal16", "slt")
SPOKEN_DBFS = -24.0  # someone at arm's length, speaking normally
LEAD_SAMPLES = RATE_HZ // 20  # a clip begins with 50 ms of its own silence, so that no onset clicks
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance: what is said (empty for a recording) and its sound, 16 kHz; `end` is one past its last spoken sample."""

    name: str
    text: str
    pcm: Pcm
    end: int

    @staticmethod
    def ns(samples: int) -> int:
        return samples * 1_000_000_000 // RATE_HZ

    def save(self, path: Path) -> None:
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE_HZ)
            out.writeframes(self.pcm.tobytes())


def voice_for(wanted: str | None, device_voice: str) -> str:
    """The person's voice: the one wanted, else the first that Beside itself does not use."""
    known = (*FLITE_VOICES, "espeak-ng")
    if wanted is not None:
        if wanted not in known:
            raise InputError("voice-unknown", f"There is no voice '{wanted}' for the person.", f"Choose one of: {', '.join(known)}.")
        return wanted
    if shutil.which("flite"):
        return next(voice for voice in FLITE_VOICES if voice != device_voice)
    return "espeak-ng"


def say(text: str, voice: str) -> Clip:
    """`text` spoken by `voice`: a flite voice, or espeak-ng."""
    if not any(c.isalnum() for c in text):
        raise InputError("say-empty", "There is nothing to say in an empty text.", "Give --say some words.")
    words = ["espeak-ng", "-s", "150", "-w"] if voice == "espeak-ng" else ["flite", "-voice", voice, "-o"]
    with tempfile.TemporaryDirectory(prefix="beside-") as folder:
        path = Path(folder) / "said.wav"
        _run([*words, str(path), *(["--", text] if voice == "espeak-ng" else ["-t", text])], words[0])
        pcm, rate_hz = read_wav(path)
    return _clip(f"“{text}”", text, _levelled(resample(pcm, rate_hz, RATE_HZ)), trim=True)


def recording(path: Path) -> Clip:
    """A recording in any form: WAV by ourselves, the rest through sox. It is played whole; its end is its last loud sample."""
    if path.is_file() and path.read_bytes()[:4] != b"RIFF":
        pcm, rate_hz = _through_sox(path)
    else:
        pcm, rate_hz = read_wav(path)
    return _clip(path.name, "", resample(pcm, rate_hz, RATE_HZ), trim=False)


def _through_sox(path: Path) -> tuple[Pcm, int]:
    if path.stat().st_size == 0:
        raise InputError("audio-empty", f"{path.name} is an empty file.", "Record it again, or choose another file.")
    if shutil.which("sox") is None:
        raise InputError("audio-not-wav", f"{path.name} is not a WAV file.", "Convert it to WAV, or install the Debian package sox.")
    with tempfile.TemporaryDirectory(prefix="beside-") as folder:
        wav = Path(folder) / "converted.wav"
        try:
            _run(["sox", str(path), "-c", "1", "-b", "16", str(wav)], "sox")
        except InputError as error:
            raise InputError(
                "audio-unknown", f"{path.name} is not a sound file that can be read.", "Use a WAV, FLAC or OGG file."
            ) from error
        return read_wav(wav)


def _clip(name: str, text: str, pcm: Pcm, trim: bool) -> Clip:
    end = speech_end_sample(pcm)
    return Clip(name, text, pcm[:end] if trim else pcm, end)


def _levelled(pcm: Pcm) -> Pcm:
    gain = 10 ** ((SPOKEN_DBFS - level_dbfs(pcm)) / 20)
    loud = np.clip(pcm.astype(np.float32) * gain, -32768, 32767).astype(np.int16)
    return np.concatenate((np.zeros(LEAD_SAMPLES, np.int16), loud))


def _run(command: list[str], program: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    except FileNotFoundError as error:
        raise InputError("voice-missing", f"The program {program} is not installed.", "Run ./install.sh again.") from error
    except subprocess.SubprocessError as error:
        raise InputError("voice-failed", f"The program {program} could not do its work.", "Try other words or another voice.") from error
