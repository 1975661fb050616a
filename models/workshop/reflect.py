"""Reflection: the person's own words turned round, as training examples of taking words up.

"i miss my garden" becomes "You miss your garden." and a short tail that fits the wanted intent. It works on the open
slots, so that names come back with their capitals.
"""

import random
import re

from models.workshop.corpus import Exchange
from models.workshop.slots import turn_round
from models.workshop.words import COMMON, words

_START = re.compile(r"^(i|my|we|our|i'm|i've|i'd)\b")
_LEAD = re.compile(r"^(well|yes|no|oh|but|and|so|because|maybe|perhaps)\s+")
# What must never come back to the person as a plain echo: the guardian and written answers are there for these.
_NEVER = re.compile(r"\b(die|dead|death|kill|end it|hurt|burden|hate|stupid|useless|ashamed|you|she|he|they|it)\b")
TAILS = {
    "acknowledging": ("I am listening.", "Thank you for telling me.", "I hear you.", "I am here with you.", ""),
    "questioning": (
        "Would you like to tell me more?",
        "What comes to your mind with that?",
        "How is that for you now?",
        "What is the first thing you think of?",
        "Is there more to that?",
    ),
    "neutral": ("We can stay with that for a while.", "There is no hurry.", "Take your time.", ""),
}


def reflection(exchange: Exchange, rng: random.Random) -> Exchange | None:
    """Return the person's line with its own words as the answer, or None where that would sound wrong."""
    said = _LEAD.sub("", exchange.user)
    if not _START.match(said) or not 3 <= len(said.split()) <= 12 or _NEVER.search(said):
        return None
    if all(w in COMMON for w in words(said)):
        return None
    turned = turn_round(said)
    intent = rng.choice(tuple(TAILS))
    reply = f"{turned[0].upper()}{turned[1:]}. {rng.choice(TAILS[intent])}".strip()
    return Exchange(exchange.user, exchange.feeling, reply, intent)
