"""Judging what a person said. Theory:

1. Explicit words (T1) and implicit ones (T2) are searched in every reading that the recogniser offers. A reading that is not
   the best one cannot start an alarm by itself, but it makes Beside ask: T1 found only there counts as T2.
2. Benign use (T3) is not the absence of a hit but a rule of its own that *covers* words: a hit of another rule that lies
   wholly inside a covered stretch does not count. A covering rule of level T2 lowers an explicit hit to the question.
3. The level is the highest that remains. Nothing else (mood, face, model) can lower it; how an answer to the direct
   question is read is the business of `talk.py`.
Pure: text in, judgement out.
"""

from dataclasses import dataclass
from typing import Literal, cast

from device.events import Level
from services.guardian.rules import RANK, Rule, RuleSet, normalise

AlarmKind = Literal["help", "crisis", "medical", "abuse"]
URGENCY: tuple[AlarmKind, ...] = ("medical", "crisis", "abuse", "help")  # of two equal levels, the first decides what is said
LONGEST_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Judgement:
    """`kind` is empty for none and T3; `rules` are the ids that fired with the version of the rule set."""

    level: Level = "none"
    kind: AlarmKind | Literal[""] = ""
    rules: tuple[str, ...] = ()


NOTHING = Judgement()


def judge(text: str, alternatives: tuple[str, ...], rules: RuleSet) -> Judgement:
    """The level of one utterance with all its readings, best first."""
    best = read(text, rules)
    for other in alternatives:
        if normalise(other) != normalise(text):
            heard = read(other, rules)
            if heard.level == "T1":
                heard = Judgement("T2", heard.kind, heard.rules)
            if RANK[heard.level] > RANK[best.level] and heard.level != "T3":
                best = heard
    return best


def read(text: str, rules: RuleSet) -> Judgement:
    """The level of one reading."""
    plain = normalise(text[:LONGEST_CHARS])
    covers = [(rule, span) for rule in rules.of("benign") for span in _spans(rule, plain)]
    hits: list[Rule] = []
    for rule in rules.of("help", "crisis", "medical", "abuse"):
        hits += [rule for span in _spans(rule, plain) if not any(_inside(span, cover) for _, cover in covers)][:1]
    hits += [rule for rule, _ in covers if rule.level != "T3"]
    if not hits:
        fired = tuple(dict.fromkeys(f"{rule.id}@{rules.version}" for rule, _ in covers))
        return Judgement("T3" if fired else "none", "", fired)
    level = max((rule.level for rule in hits), key=lambda each: RANK[each])
    top = {cast("AlarmKind", rule.kind if rule.kind != "benign" else "crisis") for rule in hits if rule.level == level}
    kind = next(kind for kind in URGENCY if kind in top)
    return Judgement(level, kind, tuple(dict.fromkeys(f"{rule.id}@{rules.version}" for rule in hits)))


def calls_for_help(partial: str, rules: RuleSet) -> Judgement:
    """A call for help in words that are not final yet: only when the call is the whole partial."""
    plain = normalise(partial)
    fired = tuple(f"{rule.id}@{rules.version}" for rule in rules.of("help") if rule.partials and _spans(rule, plain))
    return Judgement("T1", "help", fired) if fired else NOTHING


def _spans(rule: Rule, plain: str) -> list[tuple[int, int]]:
    if rule.whole:
        bare = plain.replace(" . ", " ")
        return [(0, len(plain))] if plain and rule.pattern.fullmatch(bare) else []
    return [found.span() for found in rule.pattern.finditer(plain)]


def _inside(span: tuple[int, int], cover: tuple[int, int]) -> bool:
    return cover[0] <= span[0] and span[1] <= cover[1]
