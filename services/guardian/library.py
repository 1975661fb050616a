"""Reads the guardian's data: rules and scripts of one language. The only room here that opens those files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from device.errors import ConfigError
from services.guardian.rules import RuleSet, compile_rules

HERE = Path(__file__).resolve().parent
Sentences = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scripts:
    """The fixed sentences of one language, with the country's line filled in."""

    talks: dict[str, tuple[Sentences, ...]]  # steps of a talk, by kind (and "crisis-asked", and KIND-silence)
    questions: dict[str, Sentences]
    again: dict[str, Sentences]
    calmed: dict[str, Sentences]
    instead: dict[str, str]


def load_rules(language: str) -> RuleSet:
    """Every rule file of the language, compiled; ConfigError if one cannot be read."""
    folder = HERE / "rules" / language
    files = sorted(path for path in folder.glob("*.yaml") if path.name != "macros.yaml")
    return compile_rules(_read(folder / "macros.yaml"), [_read(path) for path in files])


def load_scripts(language: str, country: str) -> Scripts:
    """The sentences of the language for a country; ConfigError if they cannot be read."""
    data = _read(HERE / "scripts" / f"{language}.yaml")
    try:
        line = data["lines"][country]
        return Scripts(
            talks={kind: tuple(tuple(s.format(line=line) for s in step) for step in steps) for kind, steps in data["talks"].items()},
            questions=_sentences(data["questions"]),
            again=_sentences(data["again"]),
            calmed=_sentences(data["calmed"]),
            instead=dict(data["instead"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            "scripts-broken", f"The guardian's scripts lack {error}.", "Restore services/guardian/scripts from the release."
        ) from error


def _sentences(group: dict[str, list[str]]) -> dict[str, Sentences]:
    return {kind: tuple(lines) for kind, lines in group.items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            "guardian-data-broken", f"The guardian's file {path.name} cannot be read.", "Restore services/guardian from the release."
        ) from error
    if not isinstance(data, dict):
        raise ConfigError("guardian-data-broken", f"The guardian's file {path.name} is empty.", "Restore it from the release.")
    return data
