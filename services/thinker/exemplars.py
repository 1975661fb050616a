"""Good answers that the authors wrote, found by meaning: examples of the manner for a large model, material for the small one.

The bank is a table of feeling, intent, utterance and reply. Its vectors are computed once and kept beside the data, under a
name made from the table itself: another table, another file.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.config import ROOT
from device.embedding import DIMENSIONS, Vector, Vectors
from device.errors import InputError

log = logging.getLogger(__name__)

TABLE = ROOT / "models" / "starter" / "corpus" / "exemplars.tsv"
MOST = 2
NEAR_ENOUGH = 0.45  # cosine; below it an answer belongs to another conversation
INTENT_WEIGHT = 0.1  # an answer with the wanted intent may lie this much farther away


@dataclass(frozen=True, slots=True)
class Exemplar:
    feeling: str
    intent: str
    utterance: str
    reply: str


class Bank:
    """Exemplars with the vectors of their utterances, one row each (n, 384)."""

    def __init__(self, rows: Sequence[Exemplar], vectors: Vectors) -> None:
        self._rows, self._vectors = tuple(rows), vectors

    def nearest(self, vector: Vector, intent: str) -> tuple[str, ...]:
        """Up to two replies to utterances near in meaning, those with the wanted intent first; none when all are far."""
        if not self._rows:
            return ()
        cosine = self._vectors @ vector
        wanted = np.array([row.intent == intent for row in self._rows])
        order = np.argsort(-(cosine + INTENT_WEIGHT * wanted), kind="stable")[: 4 * MOST]
        near = [self._rows[i].reply for i in order if cosine[i] >= NEAR_ENOUGH]
        return tuple(dict.fromkeys(near))[:MOST]


def read(path: Path) -> list[Exemplar]:
    """The table's rows; InputError with the line that is wrong. Replies that name the person in a slot are for training only."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "exemplars-unreadable", f"The example answers in {path.name} cannot be read.", "Run ./install.sh again."
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 4:
            raise InputError("exemplars-damaged", f"{path.name}, line {number}: four columns are needed.", "Run ./install.sh again.")
        row = Exemplar(*(cell.strip() for cell in cells))
        if "{" not in row.utterance + row.reply:
            rows.append(row)
    return rows


def open_bank(path: Path, embed: Callable[[str], Vector], cache: Path) -> Bank:
    """The bank of `path`; vectors come from `cache` (a folder) or are computed now and kept there."""
    rows = read(path)
    key = hashlib.sha256("\n".join(row.utterance for row in rows).encode()).hexdigest()[:16]
    file = cache / f"exemplars-{key}.npy"
    try:
        vectors = np.load(file, allow_pickle=False)
        if vectors.shape == (len(rows), DIMENSIONS) and vectors.dtype == np.float32:
            return Bank(rows, vectors)
        log.warning("exemplars: the kept vectors do not fit the table, computing them again")
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        log.warning("exemplars: the kept vectors cannot be read (%s), computing them again", type(error).__name__)
    vectors = np.stack([embed(row.utterance) for row in rows]) if rows else np.zeros((0, DIMENSIONS), np.float32)
    _keep(vectors, file)
    return Bank(rows, vectors)


def _keep(vectors: Vectors, file: Path) -> None:
    """Write beside, then rename: a power cut leaves the old file or the new one. A full disk only costs the next start."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for old in file.parent.glob("exemplars-*.npy"):
            old.unlink()
        with file.with_suffix(".new").open("wb") as out:
            np.save(out, vectors, allow_pickle=False)
        file.with_suffix(".new").replace(file)
    except OSError as error:
        log.warning("exemplars: the vectors could not be kept (%s)", error.strerror)
