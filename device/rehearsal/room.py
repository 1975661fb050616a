"""The acoustics of the rehearsal's room, pure: how the loudspeaker comes back into the microphone, on one sample clock."""

import numpy as np
from numpy.typing import NDArray

from device.audio import FRAME_SAMPLES, RATE_HZ, Pcm

ECHO_DB = -15.0  # level of the loudspeaker at the microphone
ECHO_DELAY_MS = 80  # sound card buffers and the way through the air
RT60_S = 0.4  # a furnished bedroom
RESPONSE_S = 0.25
DIRECT_TO_REVERB_DB = 3.0
NOISE_FLOOR = 3.0  # rms in int16 steps, about -81 dB of full scale: a very quiet room
TRACK_SAMPLES = 1 << 17  # 8 s
GAP_SAMPLES = 40 * RATE_HZ // 1000  # a chunk later than this is a new start; shorter is the sender's jitter

Float = NDArray[np.float32]


def room_response(seed: int = 7) -> Float:
    """Direct sound and exponentially decaying noise (decay 60 dB in RT60_S); its energy is ECHO_DB."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(RESPONSE_S * RATE_HZ)) / RATE_HZ
    tail = rng.standard_normal(time_s.size) * np.exp(-6.91 * time_s / RT60_S)
    tail[0] = 0.0
    response = tail / np.sqrt(np.sum(tail**2))
    response[0] = 10 ** (DIRECT_TO_REVERB_DB / 20)
    scaled: Float = (response / np.sqrt(np.sum(response**2)) * 10 ** (ECHO_DB / 20)).astype(np.float32)
    return scaled


class Track:
    """Sound on the room's sample clock, remembered for a few seconds around now; silence where nothing was put."""

    def __init__(self) -> None:
        self._ring: Pcm = np.zeros(TRACK_SAMPLES, np.int16)

    def put(self, at: int, pcm: Pcm) -> None:
        """Place `pcm` with its first sample at `at`; what does not fit into half the memory is cut."""
        part = pcm[: TRACK_SAMPLES // 2]
        self._ring[np.arange(at, at + part.size) % TRACK_SAMPLES] = part

    def take(self, at: int, samples: int) -> Pcm:
        return self._ring[np.arange(at, at + samples) % TRACK_SAMPLES]

    def clear(self, at: int, samples: int) -> None:
        self._ring[np.arange(at, at + samples) % TRACK_SAMPLES] = 0


class Echo:
    """What comes back of a track, frame by frame (fast convolution: 0.2 ms a frame)."""

    def __init__(self, response: Float, delay_ms: int = ECHO_DELAY_MS) -> None:
        self._delay = delay_ms * RATE_HZ // 1000
        self._taps = response.size
        self._size = 1 << (self._taps + FRAME_SAMPLES - 1).bit_length()
        self._spectrum = np.fft.rfft(response, self._size)

    def frame(self, track: Track, at: int) -> Float:
        """The echo for the frame that begins at sample `at`."""
        history = track.take(at - self._delay - self._taps + 1, self._taps - 1 + FRAME_SAMPLES)
        if not history.any():
            return np.zeros(FRAME_SAMPLES, np.float32)
        wet = np.fft.irfft(np.fft.rfft(history.astype(np.float32), self._size) * self._spectrum, self._size)
        return wet[self._taps - 1 : self._taps - 1 + FRAME_SAMPLES].astype(np.float32)


class Placer:
    """Where the loudspeaker's next chunk stands: after the last one, or now if there was a pause."""

    def __init__(self) -> None:
        self._next = -GAP_SAMPLES * 1000

    def place(self, now: int, samples: int) -> int:
        at = self._next if self._next > now - GAP_SAMPLES else now
        self._next = at + samples
        return at


def mix(person: Pcm, echo: Float, rng: np.random.Generator) -> Pcm:
    """What the microphone hears in one frame."""
    noise = rng.standard_normal(FRAME_SAMPLES, np.float32) * NOISE_FLOOR
    return np.clip(np.round(person + echo + noise), -32768, 32767).astype(np.int16)


def late_p99_ms(late_ms: list[float]) -> float:
    return float(np.percentile(late_ms, 99)) if late_ms else 0.0
