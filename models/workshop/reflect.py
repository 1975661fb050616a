"""Reflection: the person's own words turned round, as training examples of taking words up.

"i miss my garden" becomes "You miss your garden." and a tail that fits the wanted intent; "the trolley woke me" may become
"The trolley." It works on the open slots, so that names come back with their capitals. Together with nouns put in the place
of others (`swap`) these are answers that cannot be known by heart: only by listening.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from models.workshop.corpus import Dialogue, Exchange
from models.workshop.slots import SLOT, fit_articles, turn_round
from models.workshop.words import COMMON, words

_START = re.compile(r"^(i|my|we|our|i'm|i've|i'd|the|there|nobody|he|she|it|it's|they|that|{relative_name}|{friend_name}|{pet_name})(?= )")
_LEAD = re.compile(r"^(well|yes|no|oh|but|and|so|because|maybe|perhaps)\s+")
_PHRASE = re.compile(
    r"\b(?:my|our|the|a) (?:(?:old|little|own|new|big|last) )?(?:\{[a-z_]+\d*\}|[a-z]{3,})(?= (?:is|was|has|had|and|again|in|on)\b|$)"
)
# What must never come back to the person as a plain echo: the guardian and written answers are there for these.
_NEVER = re.compile(
    r"\b(die|died|dead|death|kill|end it|hurt|burden|hate|stupid|useless|ashamed|you|your|you're|machine|robot|what|why|who)\b"
)
_HARD = frozenset(
    ("afraid", "angry", "annoyed", "anxious", "devastated", "disappointed", "disgusted", "furious", "guilty", "lonely", "sad", "terrified")
)
TAILS: Mapping[str, Sequence[str]] = {
    "acknowledging": (
        "I am listening.", "Thank you for telling me.", "I hear you.", "I am here with you.", "", "I take that in.",
        "It is good that you say it.", "That is worth saying out loud.", "I hear how it is.", "That stays with me.",
    ),
    "questioning": (
        "Would you like to tell me more?", "What comes to your mind with that?", "How is that for you now?", "Since when?",
        "What is the first thing you think of?", "How did that begin?", "What was that like for you?", "And then?",
        "What do you wish for most just now?", "Is there more to that?",
    ),
    "neutral": (
        "We can stay with that for a while.", "There is no hurry.", "Take your time.", "", "The night has room for that.",
        "Go on when you like.",
    ),
    "sympathizing": (
        "That is hard.", "That is a heavy thing to lie with.", "That is a lot for one night.", "I am sorry it is so.",
        "Nobody would find that easy.", "That must weigh on you.",
    ),
    "encouraging": (
        "Go on, I would like to hear it.", "Tell it as it comes.", "You tell it well.", "There is time for all of it.", "Please go on.",
    ),
}  # fmt: skip


def reflection(exchange: Exchange, rng: random.Random) -> Exchange | None:
    """Return the person's line with its own words as the answer, or None where that would sound wrong."""
    said = _LEAD.sub("", exchange.user)
    if _NEVER.search(said) or len(said.split()) < 3 or all(w in COMMON for w in words(SLOT.sub("slot", said))):
        return None
    phrases = _PHRASE.findall(said)
    if phrases and rng.random() < 0.3:
        echo = turn_round(rng.choice(phrases))
    elif _START.match(said) and len(said.split()) <= 12:
        echo = turn_round(said)
    else:
        return None
    able = [i for i in TAILS if i != "sympathizing" or exchange.feeling in _HARD]
    intent = rng.choice(able)
    return Exchange(exchange.user, exchange.feeling, f"{echo[0].upper()}{echo[1:]}. {rng.choice(TAILS[intent])}".strip(), intent)


_NOUN = re.compile(
    r"\b(?:my|your|the|a|an|his|her|our) ([a-z]{3,})"
    r"(?=[.,?]|$| (?:is|was|are|were|has|had|and|in|on|at|again|for|to|of|with|from|by|that|when|comes|came)\b)"
)


def nouns_of(texts: Iterable[str]) -> frozenset[str]:
    """The words that stand where only a noun stands."""
    return frozenset(n for t in texts for n in _NOUN.findall(t.lower()) if n not in COMMON)


def swap(dialogue: Dialogue, turn: int, nouns: Sequence[str], rng: random.Random) -> Dialogue:
    """Put other nouns in the place of those that the person and the answer share, through the whole dialogue.

    The answer must then carry what was really said, however odd it is. One and many stay apart ("s" for "s").
    """
    target = dialogue.exchanges[turn]
    shared = set(_NOUN.findall(target.user)) & set(words(SLOT.sub("", target.reply))) - COMMON
    new = {old: rng.choice(nouns) for old in sorted(shared) if rng.random() < 0.8}
    new = {old: n for old, n in new.items() if old.endswith("s") == n.endswith("s")}
    if not new:
        return dialogue
    pattern = re.compile(rf"(?<![{{\w])({'|'.join(new)})(?![}}\w])", re.IGNORECASE)

    def put(text: str) -> str:
        def one(match: re.Match[str]) -> str:
            word = new[match[0].lower()]
            return word.capitalize() if match[0][0].isupper() else word

        return fit_articles(pattern.sub(one, text))

    exchanges = tuple(replace(e, user=put(e.user), reply=put(e.reply)) for e in dialogue.exchanges)
    return replace(dialogue, exchanges=exchanges, memories=tuple(put(m) for m in dialogue.memories))


def twin(exchange: Exchange, nouns: Sequence[str], rng: random.Random) -> str | None:
    """The same answer about something else, to be given as an exemplar: its frame fits, its nouns do not.

    None where person and answer share no noun and no slot, so that the twin would be the answer itself.
    """
    slots = {s[0] for s in SLOT.finditer(exchange.user)} & {s[0] for s in SLOT.finditer(exchange.reply)} - {"{name}"}
    alone = Dialogue("", "", (), "", (exchange,), "")
    changed = swap(alone, 0, nouns, rng).exchanges[0].reply
    return changed if slots or changed != exchange.reply else None
