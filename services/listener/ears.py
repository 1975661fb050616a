"""The faces behind which the listener's engines stand. Every engine hears 16-bit mono at 16 kHz."""

from dataclasses import dataclass
from typing import Protocol

from device.audio import Pcm


@dataclass(frozen=True, slots=True)
class Reading:
    """What a recogniser understood: lower case, no punctuation. Confidence 0…1, or None where it gives alternatives instead."""

    text: str
    confidence: float | None = None
    alternatives: tuple[str, ...] = ()


class VoiceDetector(Protocol):
    """VAD: how likely each frame of 512 samples holds a voice."""

    def share(self, samples: Pcm) -> float: ...

    def reset(self) -> None:
        """Forget the sound so far: what comes next is another scene."""
        ...


class TurnJudge(Protocol):
    """Listens to melody and breath: how likely (0…1) the person has said what they wanted to say."""

    def finished(self, utterance: Pcm) -> float: ...


class Recogniser(Protocol):
    """Speech to text, working while the person speaks, so that little is left to do at the end."""

    name: str

    def begin(self) -> None: ...

    def feed(self, samples: Pcm) -> str:
        """Hear more; what is understood so far."""
        ...

    def finish(self) -> Reading: ...


class StopSpotter(Protocol):
    """Knows only the stop words; works while Beside itself is speaking."""

    def feed(self, samples: Pcm) -> str:
        """The stop word that has just ended, or an empty string."""
        ...

    def reset(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ears:
    """The engines of one listener."""

    voice: VoiceDetector
    judge: TurnJudge | None  # None: the words and the silence must do
    recogniser: Recogniser
    spotter: StopSpotter | None  # None: no stop words are wanted
