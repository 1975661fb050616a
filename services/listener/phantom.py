"""Recognisers invent words in silence ("the", "huh"). Words that nobody said must never become a turn.

Pure. Help and refusal words are exempt from every rule but the first: a weak "help" counts.
"""

from dataclasses import dataclass
from typing import Literal

from services.listener.ears import Reading

Reason = Literal["no-words", "too-short", "low-confidence", "phantom"]

SHORTEST_VOICED_MS = 96
LEAST_CONFIDENCE = 0.25
GUESSED_CONFIDENCE, GUESSED_WORDS = 0.12, 4  # so little for so few words is a cough or a sneeze, however loud
ABOVE_NOISE_DB = 8.0  # a voice at the bed stands out at least this much from the room
SHORT_VOICED_MS = 260
BACKCHANNELS = frozenset({"ah", "eh", "er", "hm", "hmm", "huh", "mhm", "mm", "mmm", "oh", "uh", "um"})  # may be an answer
FUNCTION_WORDS = frozenset({  # alone they say nothing: a sneeze is understood as "you" or "if"
    "a", "an", "and", "are", "at", "but", "by", "for", "he", "her", "i", "if", "in", "is", "it", "of", "on", "or", "she", "so", "than",
    "that", "the", "they", "this", "to", "was", "we", "with", "you",
})  # fmt: skip
FILLERS = BACKCHANNELS | FUNCTION_WORDS
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
    if len(words) == 1 and words[0] in FUNCTION_WORDS:
        return "phantom"
    if only_fillers and (faint or (len(words) == 1 and voice.voiced_ms < SHORT_VOICED_MS)):
        return "phantom"
    unsure = reading.confidence is not None and reading.confidence < LEAST_CONFIDENCE
    if unsure and (faint or voice.voiced_ms < SHORT_VOICED_MS):
        return "low-confidence"
    guessed = reading.confidence is not None and reading.confidence < GUESSED_CONFIDENCE and len(words) <= GUESSED_WORDS
    return "low-confidence" if guessed else None
