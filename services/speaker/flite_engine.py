"""flite as the embedded voice: a small process for each clause (about 30 ms), so a crash in it never takes the speaker along."""

import io
import shutil
import subprocess
import unicodedata
import wave

import numpy as np

from device.errors import EngineError
from services.speaker.voice import Sound

TIMEOUT_S = 10.0
RATE_HZ = 16_000  # of an empty sound; a real one carries its voice's own rate (kal: 8 kHz)


class FliteVoice:
    """`pace` stretches the durations: 1.0 as recorded, 1.2 a fifth slower."""

    def __init__(self, voice: str, pace: float, volume: float) -> None:
        self.name = f"flite-{voice}"
        self._voice, self._pace, self._volume = voice, pace, volume
        if shutil.which("flite") is None:
            raise EngineError("flite-missing", "The embedded voice (flite) is not installed.", "Run ./install.sh again.")
        known = sorted(set(_run(["flite", "-lv"]).decode("ascii", "replace").partition(":")[2].split()))
        if voice not in known:  # flite itself would take another voice without a word
            raise EngineError(
                "flite-voice-unknown", f"flite has no voice '{voice}'.", f"Set speaker.flite_voice to one of: {', '.join(known)}."
            )
        self.synthesise("hm")  # warm the disk cache, and fail now rather than at the first word

    def synthesise(self, text: str) -> Sound:
        plain = _ascii(text)
        if not any(c.isalnum() for c in plain):
            return Sound(np.zeros(0, np.int16), RATE_HZ)
        stretch = f"duration_stretch={self._pace}"
        made = _run(["flite", "-voice", self._voice, "--setf", stretch, "-t", plain, "-o", "/dev/stdout"])
        try:
            with wave.open(io.BytesIO(made)) as wav:
                rate = wav.getframerate()
                pcm = np.frombuffer(wav.readframes(wav.getnframes()), np.int16)
        except (wave.Error, EOFError) as error:
            raise _failed() from error
        return Sound((pcm * self._volume).astype(np.int16), rate)


def _run(command: list[str]) -> bytes:
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise _failed() from error


def _failed() -> EngineError:
    return EngineError("flite-failed", "The embedded voice could not speak.", "Run ./install.sh again; if it repeats: beside doctor")


def _ascii(text: str) -> str:
    """flite reads only ASCII letters: accents fall off, other scripts and control characters fall out."""
    return "".join(c if " " <= c <= "~" else " " for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
