"""Slots: `{thing}`, `{relative2}` and the like, filled so that the sentence stays a sentence.

A value stands in slots.yaml in the person's own voice. In the person's lines it is lower-cased, as the recogniser writes;
in Beside's lines and in memories it is turned round ("my wedding" is "your wedding"), given "a" or "an", and capitalised
where a sentence starts.
"""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

Pools = Mapping[str, Sequence[str]]

SLOT = re.compile(r"\{([a-z_]+?)(\d*)\}")
_ARTICLE = re.compile(r"\b([Aa])n?( +)(?=\{)")
_VOWEL = re.compile(r"(?!uni|use|eu|one\b|once\b|ukr)[aeiou]|hour|heir|honest", re.IGNORECASE)
_START = re.compile(r"(^|[.?!]\s+)([a-zà-ÿ])")
TURNED = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "we": "you", "us": "you", "our": "your",
    "ours": "yours", "ourselves": "yourselves", "am": "are", "i'm": "you're", "i've": "you've", "i'd": "you'd", "i'll": "you'll",
}  # fmt: skip


class SlotError(Exception):
    """slots.yaml is not as its README says; the sentence names the place and what was expected."""


def load_pools(path: Path) -> tuple[Pools, Pools]:
    """Return (training values, held-out values); a slot without held-out values keeps its training values there."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(raw, dict):
        raise SlotError(f"{path}: expected one list of values per slot")
    held = raw.pop("heldout", {}) or {}
    for name, values in [*raw.items(), *held.items()]:
        if not isinstance(values, list) or not values or not all(isinstance(v, str) and v.strip() for v in values):
            raise SlotError(f"{path}: slot '{name}' is not a list of words (a value like yes, no or 7 needs quotes)")
    unknown = sorted(set(held) - set(raw))
    if unknown:
        raise SlotError(f"{path}: held-out values for a slot that does not exist: {', '.join(unknown)}")
    return raw, {**raw, **held}


def turn_round(words: str) -> str:
    """Turn the person's words to them: "my wedding" becomes "your wedding", "i was" becomes "you were"."""
    out: list[str] = []
    for word in words.split():
        turned = TURNED.get(word.lower(), word)
        if word.lower() == "was" and out and out[-1] == "you":
            turned = "were"
        out.append(turned)
    return " ".join(out)


def fit_articles(text: str) -> str:
    """Give each "a" and "an" the form that the next word asks for."""
    return re.sub(r"\b([Aa])n? (?=([a-zà-ÿ]+))", lambda m: f"{m[1]}{'n' if _VOWEL.match(m[2]) else ''} ", text)


class Filling:
    """One dialogue's values: a slot keeps its value, and numbered slots of one kind differ from each other."""

    def __init__(self, pools: Pools, rng: random.Random) -> None:
        self._pools, self._rng = pools, rng
        self._chosen: dict[tuple[str, str], str] = {}

    def value(self, slot: str, number: str = "") -> str:
        key = (slot, number)
        if key not in self._chosen:
            if slot not in self._pools:
                raise SlotError(f"there is no slot '{{{slot}}}' in slots.yaml")
            taken = {v for (s, _), v in self._chosen.items() if s == slot}
            pool = self._pools[slot]
            free = [v for v in pool if v not in taken] if taken else pool
            self._chosen[key] = self._rng.choice(free or pool)
        return self._chosen[key]

    def heard(self, text: str) -> str:
        """A line of the person."""
        return self._fill(text, turned=False).lower()

    def said(self, text: str) -> str:
        """A line of Beside, or a memory."""
        return _START.sub(lambda m: m[1] + m[2].upper(), self._fill(text, turned=True))

    def _fill(self, text: str, *, turned: bool) -> str:
        def article(match: re.Match[str]) -> str:
            slot = SLOT.match(text, match.end())
            if slot is None:
                return match[0]
            value = self.value(slot[1], slot[2])
            return f"{match[1]}{'n' if _VOWEL.match(value) else ''}{match[2]}"

        def value(match: re.Match[str]) -> str:
            chosen = self.value(match[1], match[2])
            return turn_round(chosen) if turned else chosen

        return SLOT.sub(value, _ARTICLE.sub(article, text))
