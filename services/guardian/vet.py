"""Vetting what the model would like to say, clause by clause, before a sound is made. Pure.

A clause passes when it is plain speech in our own script, not too long, not turning in circles, free of dialogue markup, and
matches none of the vet rules (no method, dose, diagnosis, promise, secrecy, claim of a human life, claim that somebody was
told). What is refused is replaced by a fitting scripted sentence, or dropped.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from services.guardian.rules import RuleSet, normalise

LONGEST_CHARS = 300
LONGEST_WORDS = 45
SAME_WORD_IN_A_ROW = 3
SAME_TRIPLE = 2  # times that one run of three words may come in a clause
_ROLE = re.compile(
    r"\b(?:user|assistant|system|human|bot|instruction|input|output|response|beside|feeling|intent|u|b)\s*(?:\([^)]*\))?\s*:", re.I
)
_MARKUP = re.compile(r"[<>\[\]{}|\\`#*_~^=@]|https?:|www\.")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a clause may not be spoken; `say` names the scripted sentence in its place, empty: none."""

    rule: str
    say: str = ""


def vet(text: str, spoken: Collection[str], rules: RuleSet) -> Refusal | None:
    """None if the clause may be spoken; `spoken` holds the normalised clauses of this turn so far."""
    if refusal := _form(text):
        return refusal
    plain = normalise(text)
    if plain in spoken:
        return Refusal("form.said-already")
    for rule in rules.of("vet"):
        if rule.pattern.search(plain):
            return Refusal(f"{rule.id}@{rules.version}", rule.say)
    return None


def _form(text: str) -> Refusal | None:
    if _ROLE.search(text) or _MARKUP.search(text):
        return Refusal("form.markup")
    if any(c.isalpha() and not unicodedata.name(c, "").startswith("LATIN") for c in text):
        return Refusal("form.other-script")
    if any(unicodedata.category(c) in ("Cc", "Co", "Cn", "Cs") for c in text):
        return Refusal("form.control")
    words = re.findall(r"[\w']+", text.lower())
    if not words:
        return Refusal("form.no-words")
    if len(text) > LONGEST_CHARS or len(words) > LONGEST_WORDS:
        return Refusal("form.too-long")
    if any(len(set(words[i : i + SAME_WORD_IN_A_ROW])) == 1 for i in range(len(words) - SAME_WORD_IN_A_ROW + 1)):
        return Refusal("form.repeats")
    triples = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    if any(triples.count(triple) > SAME_TRIPLE for triple in set(triples)):
        return Refusal("form.repeats")
    return None
