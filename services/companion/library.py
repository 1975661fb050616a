"""Reads companion's data: its fixed sentences, and the labelled examples with their vectors."""

import hashlib
import os
from pathlib import Path

import numpy as np
import yaml

from device.config import ROOT
from device.embedding import DIMENSIONS, Embedder
from device.errors import ConfigError
from services.companion.policy.feeling import Feelings, parse_labels

HERE = Path(__file__).resolve().parent
LABELS = ROOT / "models" / "starter" / "corpus" / "labels" / "emotions.tsv"
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


def load_feelings(embedder: Embedder, cache: Path) -> Feelings:
    """The labelled examples. Their vectors are kept in `cache`, named by what they were made of: embedding takes seconds."""
    try:
        text = LABELS.read_text(encoding="utf-8")
        labels, examples = parse_labels(text)
    except (OSError, ValueError) as error:
        raise ConfigError(
            "labels-broken", "The labelled examples of feelings cannot be read.", "Restore models/starter/corpus/labels."
        ) from error
    kept = cache / f"emotions-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npy"
    try:
        vectors = np.load(kept)
    except (OSError, ValueError, EOFError):
        vectors = None
    if vectors is None or vectors.shape != (len(examples), DIMENSIONS):
        vectors = embedder.embed_all(examples)
        _keep(kept, vectors)
    return Feelings(labels, examples, vectors)


def _keep(path: Path, vectors: "np.typing.NDArray[np.float32]") -> None:
    """Best effort: without the cache the next start is slower, nothing else."""
    part = path.with_suffix(f".{os.getpid()}.npy")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(part, vectors)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
