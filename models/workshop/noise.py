"""What a speech recogniser does to the person's words, so that the starter has met it before the first real night.

Words that the answer takes up are left alone: a model that learned to name what it was not given would learn to invent.
"""

import random
from collections.abc import Collection

from models.workshop.words import stem

_ALIKE = """hear here, there their, no know, to too, see sea, our are, week weak, night knight, right write, won't want, son sun, one won,
wait weight, hour our, new knew, buy by, ate eight, piece peace, whole hole, rain reign, pain pane, heart hard, then than, it's its,
your you're, and in, the a, of off, well while, ward word, bed bad, sleep sleet, nurse nurses, home whom, feel fill, still steel,
quiet quite, think thing, through threw, breathe breath, tired tied, lonely only, alone loan, would wood, some sum, hurts hurt,
cold called, old hold, flowers flour, talk took, dear deer, for four, him them, can't can, don't don, isn't is, two to, eye i, cat cap"""
HEARD_AS = {one: other for pair in _ALIKE.split(",") for one, other in (pair.split(), pair.split()[::-1])}
_FILLERS = ("well", "um", "uh", "oh", "so", "you know", "yes", "ah")
_LIGHT = frozenset(("the", "a", "an", "is", "am", "are", "was", "to", "of", "and", "i", "it", "that", "my", "in", "on", "at", "so", "just"))


def disturb(line: str, protected: Collection[str], rng: random.Random, amount: float = 0.3) -> str:
    """Return the line with, in `amount` of the cases, one or two faults of a recogniser. `protected` holds stems."""
    if rng.random() >= amount:
        return line
    words = line.split()
    for _ in range(1 + (rng.random() < 0.25)):
        words = _one_fault(words, protected, rng)
    return " ".join(words)


def _one_fault(words: list[str], protected: Collection[str], rng: random.Random) -> list[str]:
    kind = rng.choice(("drop", "drop", "drop", "homophone", "homophone", "homophone", "cut", "double", "filler"))
    free = [n for n, w in enumerate(words) if stem(w) not in protected]
    if kind == "drop" and len(words) > 3:
        light = [n for n in free if words[n] in _LIGHT] or free
        if light:
            gone = rng.choice(light)
            return words[:gone] + words[gone + 1 :]
    if kind == "homophone":
        able = [n for n in free if words[n] in HEARD_AS]
        if able:
            n = rng.choice(able)
            return [*words[:n], HEARD_AS[words[n]], *words[n + 1 :]]
    if kind == "cut" and len(words) > 4:
        count = rng.randint(1, 2)
        if all(stem(w) not in protected for w in words[-count:]):
            return words[:-count]
    if kind == "double" and words:
        n = rng.randrange(min(2, len(words)))
        return [*words[: n + 1], *words[n:]]
    if kind == "filler":
        return [rng.choice(_FILLERS), *words]
    return words
