"""Good answers that the authors wrote, found by meaning: examples of the manner for a large model, material for the small one.

The bank is a table of feeling, intent, utterance and reply. Its vectors are computed once, in small groups while the thinker
already answers, and kept beside the data under a name made from the table itself: another table, another file.
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
    """Exemplars with the vectors of their utterances. Those without a vector yet are not found; `learn` computes them."""

    def __init__(self, rows: Sequence[Exemplar], embed: Callable[[str], Vector], file: Path | None = None) -> None:
        self._rows, self._embed, self._file = tuple(rows), embed, file
        self._vectors: Vectors = np.zeros((len(self._rows), DIMENSIONS), np.float32)
        self._known = self._read_kept()

    @property
    def complete(self) -> bool:
        return self._known == len(self._rows)

    def learn(self, count: int) -> None:
        """Compute up to `count` more vectors; when the last is there, all of them are kept in the file."""
        for row in self._rows[self._known : self._known + count]:
            self._vectors[self._known] = self._embed(row.utterance)
            self._known += 1
            if self.complete and self._file is not None:
                _keep(self._vectors, self._file)

    def nearest(self, vector: Vector, intent: str) -> tuple[str, ...]:
        """Up to two replies to utterances near in meaning, those with the wanted intent first; none when all are far."""
        if not self._known:
            return ()
        cosine = self._vectors[: self._known] @ vector
        wanted = np.array([row.intent == intent for row in self._rows[: self._known]])
        order = np.argsort(-(cosine + INTENT_WEIGHT * wanted), kind="stable")[: 4 * MOST]
        near = [self._rows[i].reply for i in order if cosine[i] >= NEAR_ENOUGH]
        return tuple(dict.fromkeys(near))[:MOST]

    def _read_kept(self) -> int:
        try:
            kept = np.load(self._file, allow_pickle=False) if self._file is not None else None
        except FileNotFoundError:
            return 0
        except (OSError, ValueError, EOFError) as error:
            log.warning("exemplars: the kept vectors cannot be read (%s), computing them again", type(error).__name__)
            return 0
        if kept is None or kept.shape != self._vectors.shape or kept.dtype != np.float32:
            return 0
        self._vectors = kept
        return len(self._rows)


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
    """The bank of `path`, with the vectors that stand in `cache` (a folder) from an earlier start."""
    rows = read(path)
    key = hashlib.sha256("\n".join(row.utterance for row in rows).encode()).hexdigest()[:16]
    return Bank(rows, embed, cache / f"exemplars-{key}.npy")


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
