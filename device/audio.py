"""Sound as Beside knows it, and the faces of the three devices.

PCM is 16-bit mono. The listener's side runs at 16 kHz in frames of 512 samples (32 ms, the VAD's own window); the
loudspeaker takes whatever rate the voice has and resamples for its card.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
FRAME_SAMPLES = 512
FRAME_MS = 1000 * FRAME_SAMPLES // RATE_HZ
FRAME_NS = 1_000_000_000 * FRAME_SAMPLES // RATE_HZ

Pcm = NDArray[np.int16]
Picture = NDArray[np.uint8]  # height × width × 3, blue-green-red


@dataclass(frozen=True, slots=True)
class Frame:
    """One microphone frame: 512 samples at 16 kHz, and the monotonic time at which its last sample was heard."""

    samples: Pcm
    at_ns: int


class Microphone(Protocol):
    """Where frames come from: a sound card, a file, or the air of a rehearsal."""

    name: str

    def frames(self) -> AsyncIterator[Frame]:
        """Frames in real time, without gaps, until closed; raises DeviceError when the device goes away."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one `play`: samples whose sound went out, at the rate that was given."""

    samples: int
    first_sample_ns: int
    interrupted: bool


class Loudspeaker(Protocol):
    """Where sound goes: a sound card, a file, or the air of a rehearsal. One `play` at a time."""

    name: str

    @property
    def alive(self) -> bool:
        """Whether the device is still there, as far as can be told without a sound."""
        ...

    async def play(self, pcm: Pcm, rate_hz: int, started: "Started") -> Played:
        """Play to the end or until `stop`; calls `started(first_sample_ns)` when the first sample goes out."""
        ...

    def stop(self) -> None:
        """Silence within 100 ms, from any task; harmless when nothing plays."""
        ...

    async def close(self) -> None: ...


class Started(Protocol):
    def __call__(self, first_sample_ns: int) -> None: ...


class Camera(Protocol):
    """Where pictures come from: a webcam, a picture or a video file."""

    name: str

    async def look(self) -> Picture:
        """The newest picture; raises DeviceError when there is none to be had."""
        ...

    async def close(self) -> None: ...


def level_dbfs(pcm: Pcm) -> float:
    """RMS level in dB of full scale; -120.0 for silence or nothing."""
    if pcm.size == 0:
        return -120.0
    rms = float(np.sqrt(np.mean(np.square(pcm.astype(np.float64)))))
    return max(-120.0, 20.0 * float(np.log10(max(rms, 1e-9) / 32768.0)))


def speech_end_sample(pcm: Pcm, rate_hz: int = RATE_HZ, below_loudest_db: float = 35.0) -> int:
    """One past the last sample of the last 10 ms frame that is within `below_loudest_db` of the loudest frame; 0 for silence."""
    step = rate_hz // 100
    frames = pcm[: pcm.size // step * step].reshape(-1, step).astype(np.float64)
    if frames.size == 0:
        return 0
    power = np.mean(np.square(frames), axis=1)
    if power.max() < 1.0:
        return 0
    loud = np.flatnonzero(power >= power.max() * 10 ** (-below_loudest_db / 10))
    return int((loud[-1] + 1) * step)


def resample(pcm: Pcm, from_hz: int, to_hz: int) -> Pcm:
    """The same sound at another rate (soxr, high quality); the same array when the rates are equal."""
    if from_hz == to_hz or pcm.size == 0:
        return pcm
    import soxr

    out: Pcm = soxr.resample(pcm, from_hz, to_hz, "HQ")
    return out
