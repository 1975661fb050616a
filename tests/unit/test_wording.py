"""One name for one thing: what calls a person to the bed is the call button, wherever Beside speaks or writes of it."""

import re
from pathlib import Path

import pytest
import yaml

from device.cli import ROOMS
from device.config import ROOT
from services.speaker.service import WITHOUT_GUARDIAN

SPOKEN = [*sorted((ROOT / "services").glob("*/scripts/*.yaml")), *sorted((ROOT / "services").glob("*/*.py"))]
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHER_NAMES = re.compile(r"\b(?:red|panic|alarm|emergency|nurse|help) (?:button|bell)\b|\bcall bell\b", re.IGNORECASE)
CAREGIVERS = (ROOT / "docs" / "caregivers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*SPOKEN, *WRITTEN], ids=lambda path: str(path.relative_to(ROOT)))
def test_button_has_one_name_wherever_beside_speaks_or_writes(path: Path) -> None:
    assert OTHER_NAMES.findall(path.read_text(encoding="utf-8")) == []


def test_guardian_s_scripts_hold_nothing_that_nobody_reads() -> None:
    known = {"version", "signed_by", "lines", "talks", "questions", "again", "calmed", "instead"}
    for path in (ROOT / "services" / "guardian" / "scripts").glob("*.yaml"):
        assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) == known


def test_page_for_caregivers_quotes_what_beside_really_says() -> None:
    quoted = re.findall(r'"([^"]+)"', "".join(line.split("|")[1] for line in CAREGIVERS.splitlines() if line.startswith('| "')))
    spoken = " ".join(" ".join(_sentences(yaml.safe_load(path.read_text(encoding="utf-8")))) for path in SPOKEN if path.suffix == ".yaml")
    assert len(quoted) > 8
    assert [sentence for sentence in quoted if sentence not in f"{spoken} {WITHOUT_GUARDIAN}"] == []


def test_page_for_caregivers_names_only_commands_that_exist() -> None:
    named = set(re.findall(r"`beside ([a-z]+)", CAREGIVERS))
    assert {"up", "sessions", "consent", "doctor"} <= named <= {"up", "try", *ROOMS}


def _sentences(data: object) -> list[str]:
    """Every text in a script, in order."""
    if isinstance(data, str):
        return [data]
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [text for part in parts for text in _sentences(part)]
