"""Reads companion's data: its fixed sentences, and the directions of the emotions."""

from pathlib import Path

import numpy as np
import yaml

from device.config import ROOT
from device.errors import ConfigError
from services.companion.policy.feeling import Feelings

HERE = Path(__file__).resolve().parent
FEELINGS = ROOT / "models" / "starter" / "feelings.npz"
LINES = ("machine_daily", "machine_asked", "slow", "failed", "waking", "nothing", "unheard", "quiet")


class Lines:
    """The fixed sentences; those under one name take turns."""

    def __init__(self, lines: dict[str, tuple[str, ...]]) -> None:
        self._lines = lines
        self._next = dict.fromkeys(lines, 0)

    def __getitem__(self, name: str) -> str:
        said = self._lines[name][self._next[name] % len(self._lines[name])]
        self._next[name] += 1
        return said


def load_lines(language: str) -> Lines:
    """ConfigError if a sentence is missing."""
    try:
        data = yaml.safe_load((HERE / "scripts" / f"{language}.yaml").read_text(encoding="utf-8"))
        return Lines({name: tuple(str(each) for each in data[name]) for name in LINES})
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(
            "lines-broken", f"The companion's sentences cannot be read ({error}).", "Restore services/companion/scripts."
        ) from error


def load_feelings() -> Feelings:
    """The directions of the emotions, as the workshop made them."""
    try:
        with np.load(FEELINGS) as made:
            return Feelings(made["weights"].astype(np.float32), made["bias"].astype(np.float32))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ConfigError("feelings-broken", "What tells feelings apart cannot be read.", "Restore models/starter/feelings.npz.") from error
