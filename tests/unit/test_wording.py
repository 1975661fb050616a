"""One name for one thing: what calls a person to the bed is the call button, wherever Beside speaks or writes of it."""

import re
from pathlib import Path

import pytest
import yaml

from device.config import ROOT

SPOKEN = [*sorted((ROOT / "services").glob("*/scripts/*.yaml")), *sorted((ROOT / "services").glob("*/*.py"))]
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHER_NAMES = re.compile(r"\b(?:red|panic|alarm|emergency|nurse|help) (?:button|bell)\b|\bcall bell\b", re.IGNORECASE)


@pytest.mark.parametrize("path", [*SPOKEN, *WRITTEN], ids=lambda path: str(path.relative_to(ROOT)))
def test_button_has_one_name_wherever_beside_speaks_or_writes(path: Path) -> None:
    assert OTHER_NAMES.findall(path.read_text(encoding="utf-8")) == []


def test_guardian_s_scripts_hold_nothing_that_nobody_reads() -> None:
    known = {"version", "signed_by", "lines", "talks", "questions", "again", "calmed", "instead"}
    for path in (ROOT / "services" / "guardian" / "scripts").glob("*.yaml"):
        assert set(yaml.safe_load(path.read_text(encoding="utf-8"))) == known
