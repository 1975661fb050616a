"""Samples: each is the exact prompt that the thinker writes, and the answer that belongs to it.

One sample asks for one answer of one dialogue. What stands round it is drawn anew each time: the slots, the recogniser's
faults, how far back the history goes, a memory that does not matter, a feeling that was read wrongly, and the exemplars:
none, similar ones, or some that miss the point, so that the model adapts what fits and does not recite.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from models.workshop.corpus import EMOTIONS, Corpus, Dialogue, Exchange
from models.workshop.format import END, starter_prompt
from models.workshop.mirror import mirror
from models.workshop.noise import disturb
from models.workshop.reflect import load_tails, nouns_of, swap, tail, twin
from models.workshop.slots import SLOT, Filling
from models.workshop.words import Index, content, stem, words

REMEMBERED = {  # what may follow a memory that was told, by intent
    "acknowledging": ("I remember that.", "I kept that in mind.", "I have not forgotten it.", "I still know it."),
    "questioning": ("Are you thinking of that too?", "Does that come to mind now?", "Is that part of it?", "What was it like then?"),
    "encouraging": ("Tell me about it again if you like.", "Tell me more about it."),
    "neutral": ("Perhaps that belongs to it.", "We can talk about that too."),
}
OWN_TAIL = 0.4  # a second sentence that fits only there is easily said in the wrong place
MIRRORED = 0.7  # of the statements that could be turned round and were answered otherwise
HISTORY = 6  # exchanges; the thinker keeps about as many


@dataclass(frozen=True)
class Sample:
    prompt: str
    reply: str
    who: str
    history: tuple[tuple[str, str], ...]
    memories: tuple[str, ...]
    face: str
    feeling: str
    intent: str
    exemplars: tuple[str, ...]
    user: str
    place: str

    @property
    def text(self) -> str:
        return f"{self.prompt} {self.reply}{END}"


@dataclass(frozen=True)
class Known:
    """An exchange that may serve as an exemplar, and where it stands: none is drawn from the dialogue that is asked for."""

    topic: str
    place: str
    exchange: Exchange


class Maker:
    """Makes samples of one corpus. `plain` leaves out everything that is drawn to make the task harder (held-out numbers)."""

    def __init__(self, corpus: Corpus, bank: Sequence[Known] | None = None, *, plain: bool = False, mirrored: bool = True) -> None:
        self.corpus, self.plain, self.mirrored = corpus, plain, mirrored
        self._tails = load_tails()
        alone = [Dialogue("exemplar", "", (), "", (e,), "exemplars.tsv") for e in ([] if plain else corpus.exemplars)]
        # A pattern with open slots is many exchanges in one: it comes twice in an epoch.
        open_ones = [d for d in corpus.dialogues if not plain and len(d.exchanges) == 1 and SLOT.search(d.exchanges[0].user)]
        self.targets = [(d, n) for d in [*corpus.dialogues, *alone, *open_ones] for n in range(len(d.exchanges))]
        self._bank = list(bank) if bank is not None else bank_of(corpus)
        self._index = Index([_bare(known.exchange.user) for known in self._bank])
        self._topics: dict[str, list[Known]] = {}
        for known in self._bank:
            self._topics.setdefault(known.topic, []).append(known)
        self._near: dict[str, list[Known]] = {}
        lines = [x for d in corpus.dialogues for e in d.exchanges for x in (e.user, e.reply)]
        values = [v.split()[-1] for s in ("thing", "food", "drink", "plant", "pet", "place") for v in corpus.pools.get(s, ())]
        self._nouns = sorted(nouns_of(lines) | {v for v in values if v.isascii() and v.islower()}) or ["clock"]

        self._lexicon = sorted({w for line in lines for w in words(SLOT.sub("", line))}) or ["clock"]
        self.drills = 0.0

    def epoch(self, rng: random.Random) -> Iterator[Sample]:
        """Every target once, in a new order."""
        order = list(range(len(self.targets)))
        rng.shuffle(order)
        for number in order:
            yield self.sample(*self.targets[number], rng)

    def sample(self, dialogue: Dialogue, turn: int, rng: random.Random) -> Sample:
        if not self.plain and rng.random() < self.drills:
            return self._drill(rng)
        fill = Filling(self.corpus.pools, rng)
        if not self.plain and rng.random() < 0.4:
            dialogue = swap(dialogue, turn, self._nouns, rng)
        target = dialogue.exchanges[turn]
        who = fill.said(dialogue.name) if dialogue.name else ""
        if not who and not self.plain and rng.random() < 0.5:
            who = fill.value("name")
        user, reply = fill.heard(target.user), fill.said(target.reply)
        if who and not self.plain and who not in reply and rng.random() < 0.12:
            reply = _address(reply, who)
        history = [(fill.heard(e.user), fill.said(e.reply)) for e in dialogue.exchanges[:turn]]
        memories = [fill.said(m) for m in dialogue.memories]
        feeling, face = target.feeling, dialogue.face
        if not self.plain:
            user = disturb(user, content(reply) | {stem(w) for w in words(reply)}, rng)
            history = self._history(history, fill, rng)
            memories = self._memories(memories, reply, rng)
            feeling = rng.choices((feeling, "", rng.choice(EMOTIONS)), (0.9, 0.05, 0.05))[0]
            face = face if rng.random() < 0.7 else ""
        history = history[-HISTORY:]
        if memories and not self.plain:
            target, reply = self._remembered(memories[0], target, reply, rng)
        turned = mirror(user) if self.mirrored and not memories else ""
        if turned and not self.plain:
            turned, target, reply = self._mirrored(turned, target, reply, feeling, rng)
            reply = _address(reply, who) if turned and who and rng.random() < 0.3 else reply
        exemplars = self._exemplars(target, dialogue, who, rng)
        prompt = starter_prompt(who, history, memories, face, feeling, target.intent, exemplars, user, mirrored=bool(turned))
        return Sample(
            prompt, reply, who, tuple(history), tuple(memories), face, feeling, target.intent, tuple(exemplars), user, dialogue.place
        )

    def _mirrored(self, turned: str, target: Exchange, reply: str, feeling: str, rng: random.Random) -> tuple[str, Exchange, str]:
        """The mirror is said whenever it is given: before the answer's own second sentence, or before one that fits almost
        anything. Else it is not given, and the answer stands alone."""
        first, stop, rest = reply.partition(". ")
        if content(turned) and content(turned) <= content(first):
            own = stop and rng.random() < OWN_TAIL
            return turned, target, f"{turned} {rest if own else tail(self._tails, target.intent, feeling, rng)}"
        if rng.random() < MIRRORED:
            intent = rng.choice(sorted(self._tails))
            return turned, replace(target, intent=intent), f"{turned} {tail(self._tails, intent, feeling, rng)}"
        return "", target, reply

    def _remembered(self, memory: str, target: Exchange, reply: str, rng: random.Random) -> tuple[Exchange, str]:
        """The thinker gives a memory only where it is near in meaning; then it is told, often word for word."""
        if content(memory) & content(reply) - content(target.user) or rng.random() < 0.6:
            return target, reply
        intent = rng.choice(sorted(REMEMBERED))
        return replace(target, intent=intent), f"{memory} {rng.choice(REMEMBERED[intent])}"

    def _drill(self, rng: random.Random) -> Sample:
        """Words thrown together, to be said back: nothing here can be known by heart, so that copying itself is learned.

        Without it the network learned the answers by heart for an hour and never found out that it may look back.
        """

        def thrown() -> str:
            return " ".join(rng.choice(self._lexicon) for _ in range(rng.randint(3, 9)))

        user, sentence = thrown(), _sentence(thrown())
        from_user = rng.random() < 0.5
        reply, exemplars = (_sentence(user), []) if from_user else (sentence, [sentence])
        intent = "acknowledging" if from_user else "neutral"
        prompt = starter_prompt("", [], [], "", "", intent, exemplars, user)
        return Sample(prompt, reply, "", (), (), "", "", intent, tuple(exemplars), user, "drill")

    def _history(self, history: list[tuple[str, str]], fill: Filling, rng: random.Random) -> list[tuple[str, str]]:
        """Mostly what was said; sometimes less of it, and a new subject sometimes comes after an old one."""
        if history:
            kept = rng.choices((HISTORY, 2, 1), (0.4, 0.25, 0.35))[0]  # short ones teach as much and cost less
            return history[-kept:]
        if rng.random() < 0.25:
            other = rng.choice(self.corpus.dialogues)
            start = rng.randrange(len(other.exchanges))
            part = other.exchanges[start : start + rng.randint(1, 2)]
            return [(fill.heard(e.user), fill.said(e.reply)) for e in part if "{name" not in e.reply]
        return history

    def _memories(self, memories: list[str], reply: str, rng: random.Random) -> list[str]:
        used = content(reply)
        kept = [m for m in memories if content(m) & used or rng.random() < 0.6]
        if rng.random() < 0.15 and len(kept) < 2:
            other = rng.choice(self.corpus.dialogues)
            kept += [Filling(self.corpus.pools, rng).said(m) for m in other.memories[:1]]
            rng.shuffle(kept)
        return kept

    def _exemplars(self, target: Exchange, dialogue: Dialogue, who: str, rng: random.Random) -> list[str]:
        def elsewhere(known: Sequence[Known]) -> list[Exchange]:
            return [k.exchange for k in known if k.exchange.reply != target.reply and k.place != dialogue.place]

        count = 2 if self.plain else rng.choices((0, 1, 2), (0.25, 0.4, 0.35))[0]
        found: list[str] = []
        if count and not self.plain and rng.random() < 0.5 and (other := twin(target, self._nouns, rng)):
            found.append(Filling(self.corpus.pools, rng).said(_named(other, who)))
        for rank in range(count):
            kind = "near" if self.plain else rng.choices(("near", "topic", "any"), (0.65, 0.2, 0.15))[0]
            known = self._nearest(target) if kind == "near" else self._topics.get(dialogue.topic, [])
            pool = elsewhere(known) if kind != "any" else []
            pool = pool or [rng.choice(self._bank).exchange]
            chosen = pool[min(rank, len(pool) - 1)] if self.plain else rng.choice(pool)
            text = Filling(self.corpus.pools, rng).said(_named(chosen.reply, who))
            if text not in found:
                found.append(text)
        return rng.sample(found[:count], len(found[:count])) if not self.plain else found

    def _nearest(self, target: Exchange) -> list[Known]:
        if target.user not in self._near:
            self._near[target.user] = [self._bank[n] for n, _ in self._index.nearest(_bare(target.user), 8)]
        return self._near[target.user]


def bank_of(corpus: Corpus) -> list[Known]:
    """Where exemplars are drawn from: the authored bank, and the exchanges of the dialogues themselves."""
    authored = [Known("exemplar", "exemplars.tsv", e) for e in corpus.exemplars]
    return authored + [Known(d.topic, d.place, e) for d in corpus.dialogues for e in d.exchanges]


def _sentence(line: str) -> str:
    return f"{line[0].upper()}{line[1:]}."


def _bare(text: str) -> str:
    return SLOT.sub("", text)


def _named(reply: str, who: str) -> str:
    return reply.replace("{name}", who) if who else re.sub(r",? ?\{name\}(?=[,.?])|^\{name\}, ", "", reply)


def _address(reply: str, who: str) -> str:
    """Call the person by name at the end of a short first sentence."""
    first, stop, rest = reply.partition(".")
    if stop and len(first.split()) <= 8 and not re.search(r"[?,;]", first):
        return f"{first}, {who}.{rest}"
    return reply


def held_out(held: Corpus, bank: Sequence[Known], seed: int, *, mirrored: bool = True) -> list[Sample]:
    """One sample per held-out answer, with held-out slot values, and exemplars that were trained on: as on the device.

    Without the mirror the authors' own answer is what the prompt asks for: so surprise is measured.
    """
    maker = Maker(held, bank, plain=True, mirrored=mirrored)
    return [maker.sample(d, n, random.Random(f"{seed} {d.place} {n}")) for d, n in maker.targets]
