"""How Beside does not talk: checks on what the model wrote, before it is proposed. Pure.

No claim of a human life, no call-centre phrase twice, no idea that was said already in this conversation, and no third
question in a row.
"""

import re
from collections.abc import Sequence

SAME_IDEA = 0.7  # share of the content words that two sentences have in common
FEW_WORDS = 2  # a shorter sentence ("I see.") has no idea to repeat, but must not come word for word in the same reply
LOOK_BACK = 16  # sentences
QUESTIONS_IN_A_ROW = 2

_SHOES = re.compile(
    r"\bin your (?:shoes|place|situation)\b|\bi know (?:exactly |just )?how (?:you|that|it) feels?\b"
    r"|\bi(?: have|'ve) been there\b",
    re.IGNORECASE,
)
_SERVANT = re.compile(r"\bhow (?:can|may|could) i (?:help|assist)\b|\bwhat can i do for you\b", re.IGNORECASE)
_EMPTY = frozenset(
    re.findall(
        r"\S+",
        """
    a an and are as at be been but by can could did do does for from had has have he her him his how i if in is it its me my no
    not of on or our she so that the their them then there they this to too very was we were what when where which who will with
    would you your yes well oh just about more i'm it's that's you're don't
""",
    )
)


def content_words(text: str) -> frozenset[str]:
    """The words that carry the idea, cut to a rough stem."""
    words = re.findall(r"[a-z']+", text.lower())
    return frozenset(re.sub(r"(?:ing|ed|es|s|ly)$", "", word) if len(word) > 4 else word for word in words if word not in _EMPTY)


def objection(clause: str, earlier: Sequence[str], this_reply: Sequence[str], questions_before: int) -> str:
    """Why a clause is not said, or "". `earlier`: clauses heard in this conversation, oldest first."""
    if _SHOES.search(clause):
        return "claims a human life"
    if _SERVANT.search(clause):
        return "asks like a call centre"
    if clause.strip().lower() in (said.strip().lower() for said in this_reply):
        return "said in this reply already"
    words = content_words(clause)
    for said in [*earlier[-LOOK_BACK:], *this_reply]:
        other = content_words(said)
        if len(words) > FEW_WORDS and len(words & other) >= SAME_IDEA * max(len(words), len(other)):
            return "repeats an idea"
    if "?" in clause and (questions_before >= QUESTIONS_IN_A_ROW or any("?" in said for said in this_reply)) and this_reply:
        return "one question too many"
    return ""
