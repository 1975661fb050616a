"""Two companions without a model, to measure the starter against: the nearest exemplar, and a reflector after ELIZA (1966)."""

import random
import re
from collections.abc import Callable, Sequence

from models.workshop.corpus import Exchange
from models.workshop.slots import SLOT, turn_round
from models.workshop.words import Index

Reply = Callable[[str, str], str]  # (who, last words) -> answer


def nearest_exemplar(bank: Sequence[Exchange], rank: Callable[[str], int] | None = None) -> Reply:
    """Answer with the reply of the exchange whose words are nearest; `rank` finds its place by meaning where there is one."""
    index = Index([SLOT.sub("", e.user) for e in bank])

    def reply(who: str, last_words: str) -> str:
        if rank is not None:
            return bank[rank(last_words)].reply.replace("{name}", who or "dear")
        found = index.nearest(last_words, 1)
        return bank[found[0][0]].reply.replace("{name}", who or "dear") if found else "I am listening."

    return reply


# Keyword, what to say with the turned rest; the first that matches wins, as in the original.
_SCRIPT = tuple(
    (re.compile(pattern), answers)
    for pattern, answers in (
        (r"\bi need (.*)", ("Why do you need {0}?", "Would it really help you to get {0}?")),
        (r"\bi want (.*)", ("What would it mean to you if you got {0}?", "Why do you want {0}?")),
        (r"\bi(?:'m| am) (?:afraid|scared|frightened) (.*)", ("How long have you been afraid {0}?",)),
        (r"\bi(?:'m| am) (.*)", ("How long have you been {0}?", "Do you believe it is normal to be {0}?")),
        (r"\bi feel (.*)", ("Tell me more about such feelings.", "Do you often feel {0}?")),
        (r"\bi can't (.*)", ("How do you know that you can't {0}?", "Perhaps you could {0} now.")),
        (r"\bi (?:remember|think of) (.*)", ("Do you often think of {0}?", "What else do you remember?")),
        (r"\bi (?:miss|love|like) (.*)", ("Tell me more about {0}.", "Why do you say that about {0}?")),
        (r"\bi (.*)", ("Why do you say you {0}?", "You {0}.")),
        (r"\bmy (mother|father|mum|dad|wife|husband|son|daughter|sister|brother)\b.*", ("Tell me more about your family.", "Your {0}?")),
        (r"\bmy (.*)", ("Your {0}?", "Why do you say your {0}?")),
        (r"\b(?:are|can|will|do) you (.*)", ("Why are you interested in whether I {0}?", "What makes you ask?")),
        (r"\bbecause (.*)", ("Is that the real reason?",)),
        (r"\b(?:what|why|how|when|where|who)\b.*", ("Why do you ask?", "Does that question interest you?")),
        (r"\b(?:yes|no)\b.*", ("You seem quite sure.", "I see.")),
    )
)
_ELSE = ("Please go on.", "What does that suggest to you?", "I am not sure I understand you fully.", "Tell me more about that.")


def reflector(seed: int) -> Reply:
    """Answer by the first keyword, with the person's words turned round."""
    rng = random.Random(seed)

    def reply(_who: str, last_words: str) -> str:
        for pattern, answers in _SCRIPT:
            if match := pattern.search(last_words.lower()):
                rest = turn_round(match[1]) if match.groups() else ""
                return rng.choice(answers).format(rest.strip())
        return rng.choice(_ELSE)

    return reply
