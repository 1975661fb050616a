"""Recognisers invent words in silence ("the", "huh"). Words that nobody said must never become a turn.

Pure. Help and refusal words are exempt from every rule but the first: a weak "help" counts.
"""

from dataclasses import dataclass
from typing import Literal

from services.listener.ears import Reading

Reason = Literal["no-words", "too-short", "low-confidence", "phantom"]

SHORTEST_VOICED_MS = 96
LEAST_CONFIDENCE = 0.25
ABOVE_NOISE_DB = 8.0  # a voice at the bed stands out at least this much from the room
SHORT_VOICED_MS = 260
FILLERS = frozenset({
    "a", "ah", "an", "and", "are", "at", "but", "by", "eh", "er", "for", "he", "her", "hm", "hmm", "huh", "i", "in", "is", "it", "mhm",
    "mm", "mmm", "of", "oh", "on", "or", "she", "so", "than", "that", "the", "they", "this", "to", "uh", "um", "was", "we", "with",
})  # fmt: skip
NEVER_PHANTOM = frozenset({"help", "hurt", "hurts", "no", "nurse", "pain", "please", "stop", "water", "yes", "yeah"})


@dataclass(frozen=True, slots=True)
class Voice:
    """How the utterance sounded."""

    voiced_ms: int  # frames that the VAD took for a voice
    level_dbfs: float  # of the voiced frames
    room_dbfs: float  # of the silence before


def why_no_turn(reading: Reading, voice: Voice) -> Reason | None:
    """Why these words are no turn, or None when they are one."""
    words = reading.text.split()
    if not words:
        return "no-words"
    if NEVER_PHANTOM.intersection(words):
        return None
    if voice.voiced_ms < SHORTEST_VOICED_MS:
        return "too-short"
    only_fillers = FILLERS.issuperset(words)
    faint = voice.level_dbfs < voice.room_dbfs + ABOVE_NOISE_DB
    if only_fillers and (faint or (len(words) == 1 and voice.voiced_ms < SHORT_VOICED_MS)):
        return "phantom"
    if reading.confidence is not None and reading.confidence < LEAST_CONFIDENCE and (faint or voice.voiced_ms < SHORT_VOICED_MS):
        return "low-confidence"
    return None
