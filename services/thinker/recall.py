"""Which of the memories that lie near in meaning belong into the prompt. Pure.

A memory helps when it is about the same thing, comes from an earlier conversation, is about this person, and says what has
not just been said. Better none than one that misses the point.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.workshop.slots import turn_round

NEAR_ENOUGH = 0.38  # cosine of MiniLM: unrelated sentences of one person lie below 0.3, the same subject above 0.4
SAME = 0.9  # two memories that say the same: one is enough
SHARED_WORDS = 0.7  # of a memory's words, already said in this conversation

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_TURNED_ALREADY = re.compile(r"^(you|your)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kept:
    """One row of the journal, as the recorder tells it."""

    id: str
    text: str
    who: str
    source: str  # said | family | caregiver
    session: str
    said_wall_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """A memory and how near its meaning is, cosine -1 … 1."""

    row: Kept
    likeness: float


def choose(found: Sequence[Found], *, who: str, session: str, said: Sequence[str], most: int) -> list[Kept]:
    """At most `most` of the found memories, nearest first. `said` is every utterance of this conversation, the last words too."""
    chosen: list[Kept] = []
    spoken = [_words(text) for text in said]
    for candidate in sorted(found, key=lambda f: (-f.likeness, -f.row.said_wall_s)):
        if len(chosen) == most or candidate.likeness < NEAR_ENOUGH:
            break
        row = candidate.row
        if row.who not in ("", who) or (session and row.session == session):
            continue
        words = _words(row.text)
        if any(_share(words, other) >= SHARED_WORDS for other in spoken):
            continue  # it would be told what it has just been told
        if any(_share(words, _words(other.text)) >= SAME for other in chosen):
            continue
        chosen.append(row)
    return chosen


def sentence(text: str, source: str) -> str:
    """A memory as Beside may say it: the person's own words turned round, another's words with their source."""
    text = " ".join(text.split()).rstrip(" .,;")
    if _TURNED_ALREADY.match(text):
        return f"{text[0].upper()}{text[1:]}."
    if source == "said":
        return f"You told me that {turn_round(_lower_first(text))}."
    return f"{'Your family' if source == 'family' else 'Your nurse'} told me: {text}."


def _lower_first(text: str) -> str:
    first, _, rest = text.partition(" ")
    return f"{first.lower()} {rest}".strip() if first.lower() in {"my", "we", "our", "the", "a", "an", "when", "it", "in", "on"} else text


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower().replace("\u2019", "'")))


def _share(of: set[str], within: set[str]) -> float:
    """How much of one set of words stands in another; an empty memory is always old news."""
    return len(of & within) / len(of) if of else 1.0
