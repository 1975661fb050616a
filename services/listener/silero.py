"""Silero VAD by onnxruntime: 0.1 ms for a frame of 32 ms."""

from pathlib import Path

import numpy as np

from device.audio import FRAME_SAMPLES, RATE_HZ, Pcm
from services.listener.onnx_session import open_session

CONTEXT_SAMPLES = 64  # the model wants the end of the frame before


class Silero:
    """A VoiceDetector with the running state of one microphone."""

    def __init__(self, path: Path) -> None:
        self._session = open_session(path, "hearing whether someone speaks", frozenset({"input", "state", "sr"}))
        self._rate = np.array(RATE_HZ, np.int64)
        self.reset()

    def reset(self) -> None:
        self._state = np.zeros((2, 1, 128), np.float32)
        self._heard = np.zeros((1, CONTEXT_SAMPLES + FRAME_SAMPLES), np.float32)

    def share(self, samples: Pcm) -> float:
        """How likely these 512 samples hold a voice, 0…1."""
        self._heard[:, :CONTEXT_SAMPLES] = self._heard[:, -CONTEXT_SAMPLES:]
        self._heard[0, CONTEXT_SAMPLES:] = samples.astype(np.float32) / 32768.0
        share, self._state = self._session.run(None, {"input": self._heard, "state": self._state, "sr": self._rate})
        return float(share[0, 0])
