"""The face of a voice, and the pure text work before and after it.

`speakable` turns what was written into what can be spoken; `heard` says which words had sounded when the sound was cut off.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Protocol

from device.audio import Pcm

LONGEST_CHARS = 400  # nothing that Beside says is longer; a runaway text is cut at a word
_MARKUP = re.compile(r"[*_#`~|<>\[\]{}\\^=]+")
_SPACES = re.compile(r"\s+")
_KEEP = {"L", "N", "P", "Z", "M"}  # letters, digits, punctuation, spaces, marks; no emoji, no controls


@dataclass(frozen=True, slots=True)
class Sound:
    """Synthesised speech: mono PCM at the voice's own rate."""

    pcm: Pcm
    rate_hz: int

    @property
    def ms(self) -> int:
        return 1000 * self.pcm.size // self.rate_hz


class Voice(Protocol):
    """A text-to-speech engine, warm and ready."""

    name: str

    def synthesise(self, text: str) -> Sound:
        """Speak one clause into memory (blocking); an empty sound for an empty text; EngineError if it fails."""
        ...


def speakable(text: str) -> str:
    """The part of `text` that a voice can say: no markup, no emoji, single spaces, at most 400 characters; may be empty."""
    plain = _MARKUP.sub(" ", unicodedata.normalize("NFKC", text))
    kept = "".join(c if unicodedata.category(c)[0] in _KEEP or c in "'$€£%+&" else " " for c in plain)
    short = _SPACES.sub(" ", kept).strip()
    if len(short) > LONGEST_CHARS:
        short = short[:LONGEST_CHARS].rsplit(" ", 1)[0]
    return short if any(c.isalnum() for c in short) else ""


def heard(text: str, share: float) -> str:
    """The words of `text` whose sound was out when `share` (0..1) of it had been played; half a word was not heard."""
    words = text.split()
    if share >= 1.0:
        return text
    total = sum(len(word) + 1 for word in words)
    spent, kept = 0, []
    for word in words:
        spent += len(word) + 1
        if spent > share * total:
            break
        kept.append(word)
    return " ".join(kept)
