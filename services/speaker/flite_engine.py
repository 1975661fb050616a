"""flite as the embedded voice: a small process for each clause (about 30 ms), so a crash in it never takes the speaker along."""

import shutil
import subprocess

import numpy as np

from device.errors import EngineError
from services.speaker.voice import Sound

WAV_HEADER_BYTES = 44
TIMEOUT_S = 10.0
RATE_HZ = 16_000


class FliteVoice:
    """`pace` stretches the durations: 1.0 as recorded, 1.2 a fifth slower."""

    def __init__(self, voice: str, pace: float, volume: float) -> None:
        self.name = f"flite-{voice}"
        self._voice, self._pace, self._volume = voice, pace, volume
        if shutil.which("flite") is None:
            raise EngineError("flite-missing", "The embedded voice (flite) is not installed.", "Run ./install.sh again.")
        self.synthesise("hm")  # warm the disk cache, and fail now rather than at the first word

    def synthesise(self, text: str) -> Sound:
        if not text:
            return Sound(np.zeros(0, np.int16), RATE_HZ)
        try:
            made = subprocess.run(
                ["flite", "-voice", self._voice, "--setf", f"duration_stretch={self._pace}", "-t", text, "-o", "/dev/stdout"],
                capture_output=True, timeout=TIMEOUT_S, check=True,
            ).stdout  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineError(
                "flite-failed", "The embedded voice could not speak.", "Check speaker.flite_voice in the configuration."
            ) from error
        pcm = np.frombuffer(made[WAV_HEADER_BYTES : len(made) // 2 * 2], np.int16)
        return Sound((pcm * self._volume).astype(np.int16), RATE_HZ)
