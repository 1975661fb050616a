"""The face of a voice, and the pure text work before and after it.

`speakable` turns what was written into what can be spoken; `heard` says which words had sounded when the sound was cut off.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Protocol

from device.audio import Pcm

LONGEST_CHARS = 400  # nothing that Beside says is longer; a runaway text is cut at a word, and only what was spoken counts as heard
_MARKUP = re.compile(r"[*_#`~|<>\[\]{}\\^=]+")
_SPACES = re.compile(r"\s+")
_KEEP = {"L", "N", "P", "Z", "M"}  # letters, digits, punctuation, spaces, marks; no emoji, no controls
# Typographer's marks that voices read out or swallow ("don’t" would become "don t").
_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "‚": ",", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "–": ", ", "—": ", "})


@dataclass(frozen=True, slots=True)
class Sound:
    """Synthesised speech: mono PCM at the voice's own rate."""

    pcm: Pcm
    rate_hz: int

    @property
    def ms(self) -> int:
        return 1000 * self.pcm.size // self.rate_hz


class Voice(Protocol):
    """A text-to-speech engine, warm and ready. One `synthesise` at a time."""

    name: str

    def synthesise(self, text: str) -> Sound:
        """Speak one clause into memory (blocking); an empty sound for a text it has no sound for; EngineError if it fails."""
        ...


def speakable(text: str) -> str:
    """The part of `text` that a voice can say: no markup, no emoji, single spaces, at most 400 characters; may be empty."""
    plain = _MARKUP.sub(" ", unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY))
    kept = "".join(c if unicodedata.category(c)[0] in _KEEP or c in "$€£%+&°" else " " for c in plain)
    short = re.sub(r" +([,.;:!?])", r"\1", _SPACES.sub(" ", kept)).strip().lstrip(" ,;:")
    if len(short) > LONGEST_CHARS:
        head = short[: LONGEST_CHARS + 1]
        short = head.rsplit(" ", 1)[0] if " " in head else head[:LONGEST_CHARS]
    return short if any(c.isalnum() for c in short) else ""


def heard(spoken: str, share: float) -> str:
    """The words of `spoken` whose sound was out when `share` (0..1) of it had been played; half a word was not heard."""
    words = spoken.split()
    if share >= 1.0:
        return " ".join(words)
    total = sum(len(word) + 1 for word in words)
    spent, kept = 0, []
    for word in words:
        spent += len(word) + 1
        if spent > share * total:
            break
        kept.append(word)
    return " ".join(kept)
