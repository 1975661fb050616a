"""The breath around a clause: pure work on samples between the voice and the loudspeaker.

Voices begin and end with silence of their own (flite: 200-240 ms before the first word). Before an answer that is dead time, and
between clauses it sounds like hesitation. So the lead is cut to 20 ms and what follows the last word becomes a pause that its
punctuation asks for.
"""

from dataclasses import dataclass

import numpy as np

from device.audio import Pcm
from services.speaker.voice import Sound

LEAD_MS = 20
TAIL_MS = 30  # of the voice's own fading after the last audible frame
FADE_IN_MS, FADE_OUT_MS = 5, 15
PAUSE_MS = {".": 220, "!": 220, "?": 220, "…": 220, ";": 160, ":": 160, ",": 120}
SHORTEST_PAUSE_MS = 80  # a clause that was cut at a conjunction goes on almost at once
AUDIBLE_STD = 58.0  # int16 steps, -55 dB of full scale: below it nothing is heard
BELOW_LOUDEST = 0.016  # -36 dB: the noise that a voice was recorded with lies under it, a soft "f" above it


@dataclass(frozen=True, slots=True)
class Shaped:
    """A clause ready to play. `first` and `last` are the samples between which it can be heard."""

    pcm: Pcm
    rate_hz: int
    first: int
    last: int

    @property
    def ms(self) -> int:
        return 1000 * self.pcm.size // self.rate_hz

    def share(self, samples: int) -> float:
        """How much of the audible part (0..1) is over when `samples` have been played; the pauses around it carry no words."""
        if self.last <= self.first:
            return 0.0
        return min(max((samples - self.first) / (self.last - self.first), 0.0), 1.0)


def shape(sound: Sound, text: str) -> Shaped:
    """Cut the lead, fade the edges, and end with the pause that the last character of `text` asks for; nothing audible: empty."""
    pcm, rate = sound.pcm, sound.rate_hz
    audible = _audible(pcm, rate)
    if audible is None:
        return Shaped(np.zeros(0, np.int16), rate, 0, 0)
    start = max(audible[0] - LEAD_MS * rate // 1000, 0)
    end = min(audible[1] + TAIL_MS * rate // 1000, pcm.size)
    speech = _faded(pcm[start:end], rate)
    pause = PAUSE_MS.get(text.rstrip("\"') ")[-1:], SHORTEST_PAUSE_MS) * rate // 1000
    rest = max(pause - (end - audible[1]), 0)
    return Shaped(np.concatenate([speech, np.zeros(rest, np.int16)]), rate, audible[0] - start, audible[1] - start)


def _audible(pcm: Pcm, rate_hz: int) -> tuple[int, int] | None:
    """First and one-past-last audible sample, by 5 ms frames smoothed over 20 ms; None for silence. A constant offset is no sound."""
    step = rate_hz // 200
    frames = pcm[: pcm.size // step * step].reshape(-1, step).astype(np.float64)
    if frames.size == 0:
        return None
    power = np.convolve(frames.var(axis=1), np.full(4, 0.25), "same")
    loud = np.flatnonzero(power >= max(AUDIBLE_STD, float(np.sqrt(power.max())) * BELOW_LOUDEST) ** 2)
    return (int(loud[0]) * step, int(loud[-1] + 1) * step) if loud.size else None


def _faded(pcm: Pcm, rate_hz: int) -> Pcm:
    """A copy that rises from and falls to zero, so that neither edge clicks."""
    out = pcm.astype(np.float32)
    rise, fall = (min(ms * rate_hz // 1000, out.size) for ms in (FADE_IN_MS, FADE_OUT_MS))
    out[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)
    out[out.size - fall :] *= np.linspace(1, 0, fall, dtype=np.float32)
    return out.astype(np.int16)
