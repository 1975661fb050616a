"""Rules as data: YAML read by `library.py`, compiled here into regular expressions once, at the start.

A rule is a list of patterns on normalised text (see `normalise`): lower case, contractions written out, " . " between
sentences. `whole` rules must match everything that was said; rules that `cover` take the weight from other hits inside their
match (an idiom, somebody else's death). Every rule carries examples in both directions, and a test runs all of them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from device.errors import ConfigError
from device.events import Level

Kind = Literal["help", "crisis", "medical", "abuse", "benign", "vet"]
KINDS: Mapping[str, Kind] = {kind: kind for kind in get_args(Kind)}
LEVELS: Mapping[str, Level] = {level: level for level in get_args(Level)}
RANK: Mapping[Level, int] = {"none": 0, "T3": 1, "T2": 2, "T1": 3}

_CONTRACTIONS = (
    (re.compile(r"\bwon'?t\b"), "will not"),
    (re.compile(r"\bshan't\b"), "shall not"),
    (re.compile(r"\bcan(?:'?t|not)\b"), "can not"),
    (re.compile(r"\bain'?t\b"), "am not"),
    (re.compile(r"\b(do|does|did|is|are|was|were|would|could|should|have|has|had|must|need|might)n'?t\b"), r"\1 not"),
    (re.compile(r"\bi'?m\b"), "i am"),
    (re.compile(r"\bi'?ve\b"), "i have"),
    (re.compile(r"\b(you|we|they)'?re\b(?<!were)"), r"\1 are"),
    (re.compile(r"\b(\w+)'ve\b"), r"\1 have"),
    (re.compile(r"\b(\w+)'ll\b"), r"\1 will"),
    (re.compile(r"\b(i|you|he|she|we|they|it)'d\b"), r"\1 would"),
    (re.compile(r"\b(he|she|it|that|there|what|who|where|here)'?s\b(?<!its)(?<!whos)"), r"\1 is"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"\bwanna\b"), "want to"),
    (re.compile(r"\bgonna\b"), "going to"),
    (re.compile(r"\bgotta\b"), "got to"),
)
_FILLERS = re.compile(r"\b(?:um+|uh+|er+|erm+|hmm+|mm+|you know|like i said)\b")
_REPEATED = re.compile(r"\b(\w+)(?: \1\b)+")
_GAP = r"(?:[\w']+ ){0,3}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `pattern` is searched in normalised text, or must match all of it when `whole`."""

    id: str
    kind: Kind
    level: Level
    why: str
    pattern: re.Pattern[str]
    whole: bool
    partials: bool  # may fire on words that are not final yet
    covers: bool
    say: str  # vet rules: the scripted sentence that takes the clause's place, or empty
    hits: tuple[str, ...]
    passes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one language; `version` stands in every judgement."""

    version: int
    rules: tuple[Rule, ...]

    def of(self, *kinds: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.kind in kinds)


def normalise(text: str) -> str:
    """Lower case, contractions written out, only letters, digits and " . " between sentences; doubled words kept once."""
    plain = text.lower().replace("’", "'").replace("‘", "'")
    for pattern, long in _CONTRACTIONS:
        plain = pattern.sub(long, plain)
    plain = re.sub(r"\s*[.!?;]+\s*", " . ", plain)
    plain = re.sub(r"'s\b", "", plain)
    plain = _FILLERS.sub(" ", re.sub(r"[^\w. ]+", " ", plain))
    plain = re.sub(r"\s+", " ", plain).strip(" .")
    return _REPEATED.sub(r"\1", plain)


def compile_rules(macros: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> RuleSet:
    """The rule set from parsed YAML; ConfigError names the rule that cannot be compiled."""
    shorthand: Mapping[str, str] = macros["macros"]
    rules: list[Rule] = []
    for file in files:
        for entry in file["rules"]:
            rules.append(_compile(entry, file, shorthand))
    names = [rule.id for rule in rules]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError("rule-twice", f"The rule {sorted(twice)[0]} stands twice in the guardian's rules.", "Rename one of them.")
    return RuleSet(int(macros["version"]), tuple(rules))


def _compile(entry: Mapping[str, Any], file: Mapping[str, Any], macros: Mapping[str, str]) -> Rule:
    name = str(entry.get("id", "without an id"))
    try:
        kind = KINDS[file["kind"]]
        level = LEVELS[entry.get("level", file["level"])]
        body = "|".join(f"(?:{_expand(pattern, macros)})" for pattern in entry["patterns"])
        return Rule(
            id=name, kind=kind, level=level, why=entry["why"], pattern=re.compile(rf"(?<!\w)(?:{body})(?!\w)"),
            whole=entry.get("whole", False), partials=entry.get("partials", False),
            covers=entry.get("covers", file.get("covers", False)), say=entry.get("say", ""),
            hits=tuple(entry["hits"]), passes=tuple(entry["passes"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise ConfigError(
            "rule-broken", f"The guardian's rule {name} cannot be read ({error}).", "Restore services/guardian/rules from the release."
        ) from error


def _expand(pattern: str, macros: Mapping[str, str]) -> str:
    """`<name>` becomes the macro, `~` up to three words."""
    expanded = re.sub(r"<(\w+)>", lambda found: macros[found.group(1)], pattern)
    return expanded.replace("~", _GAP)
