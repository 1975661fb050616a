"""Which of the person's words are worth remembering. Pure.

A statement about their own life with something in it: not a question, not a command to Beside, not chatter. (Words that
guardian judged as crisis are never noted; that is decided where this is called.)
"""

import re

from services.companion.policy.manner import content_words

ENOUGH_WORDS = 4
LONGEST_CHARS = 240
_OWN_LIFE = re.compile(r"\b(?:i|i'm|i've|i'd|my|mine|we|our|us)\b")
_QUESTION = re.compile(
    r"^(?:and |but |so |oh |well )*"
    r"(?:what|when|where|who|why|how|which|is|are|am|do|does|did|can|could|will|would|should|have you|has)\b|\?\s*$"
)
_TO_BESIDE = re.compile(
    r"^(?:please |now |oh |and )*"
    r"(?:tell|say|be|stop|wait|listen|talk|help|call|play|read|sing|give|remind|go|come|let|turn|open|repeat|forget|leave)\b"
)
_ABOUT_NOW = re.compile(r"\b(?:can't hear|what did you say|i said|i mean|never mind|i don't know|talking to you|you said|thank you)\b")


def worth_remembering(words: str) -> bool:
    """Whether an utterance tells something of their life that a later talk could take up."""
    plain = words.lower().strip()
    if len(plain) > LONGEST_CHARS or not _OWN_LIFE.search(plain):
        return False
    if _QUESTION.search(plain) or _TO_BESIDE.search(plain) or _ABOUT_NOW.search(plain):
        return False
    return len(content_words(plain)) >= ENOUGH_WORDS
