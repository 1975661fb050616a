"""Smart Turn v3: from the sound of the last eight seconds, has the person finished?

The model takes Whisper's log-mel features. They are a short formula (Radford et al. 2022; Slaney's mel scale), so they are
written out here instead of bringing a library along: 400-sample Hann windows every 160 samples, 80 mel bands, log10, the
quietest 80 dB below the loudest cut off, moved to about -1…1. The sound is first brought to mean 0 and variance 1.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.audio import RATE_HZ, Pcm
from services.listener.onnx_session import open_session

HEARD_SAMPLES = 8 * RATE_HZ
WINDOW, HOP, BANDS = 400, 160, 80


class SmartTurn:
    """A TurnJudge; about 25 ms of one core for an answer."""

    def __init__(self, path: Path) -> None:
        self._session = open_session(path, "hearing the end of a turn", frozenset({"input_features"}))

    def finished(self, utterance: Pcm) -> float:
        """How likely the turn is over, 0…1, at the end of `utterance`."""
        (share,) = self._session.run(None, {"input_features": log_mel(last_eight_seconds(utterance))[None]})
        return float(share.ravel()[0])


def last_eight_seconds(pcm: Pcm) -> NDArray[np.float32]:
    """The last 8 s at mean 0 and variance 1, silence in front where there is less."""
    sound = np.zeros(HEARD_SAMPLES, np.float32)
    tail = pcm[-HEARD_SAMPLES:]
    sound[HEARD_SAMPLES - tail.size :] = tail.astype(np.float32) / 32768.0
    normal: NDArray[np.float32] = ((sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)).astype(np.float32)
    return normal


def log_mel(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whisper's features of `sound` (16 kHz): bands × frames, one frame every 10 ms."""
    padded = np.pad(sound, WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][: sound.size // HOP]
    power = np.abs(np.fft.rfft(windows * _hann(), axis=1)).astype(np.float32) ** 2
    loud = np.log10(np.maximum(_mel_bank() @ power.T, 1e-10))
    features: NDArray[np.float32] = ((np.maximum(loud, loud.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return features


@cache
def _hann() -> NDArray[np.float32]:
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)  # periodic


@cache
def _mel_bank() -> NDArray[np.float32]:
    """80 triangles, equally wide on Slaney's mel scale (linear to 1 kHz, then logarithmic), of equal area: bands × FFT bins."""
    bins_hz = np.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1)
    log_step = np.log(6.4) / 27.0
    top_mel = 15.0 + np.log(RATE_HZ / 2 / 1000.0) / log_step
    mels = np.linspace(0.0, top_mel, BANDS + 2)
    edges_hz = np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * np.exp(log_step * (mels - 15.0)))
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).astype(np.float32)
