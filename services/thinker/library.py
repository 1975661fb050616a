"""Everything that a reply may draw on: what the person told Beside before, and good answers to similar words.

The texts of the memories live only in the memory of this process, as the recorder tells them; the index beside them holds
ids and vectors. All calls block and belong in one thread.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from device.embedding import DIMENSIONS, Vector, Vectors
from device.errors import EngineError
from services.thinker.exemplars import Bank
from services.thinker.recall import Found, Kept, choose, sentence

log = logging.getLogger(__name__)

LOOK_AT = 24  # nearest memories that are looked at; some are about someone else or were just said
SCRUBBED = 64  # of many memories forgotten at once, so many are looked for in the new index; the others cost too long


class Meanings(Protocol):
    """The face of the index: ids and vectors, EngineError when it is broken."""

    def ids(self) -> set[str]: ...
    def add(self, ids: Sequence[str], vectors: Vectors) -> None: ...
    def vectors(self, ids: Sequence[str]) -> Vectors: ...
    def nearest(self, vector: Vector, count: int) -> list[tuple[str, float]]: ...
    def replace(self, ids: Sequence[str], vectors: Vectors, forgotten: Vectors) -> None: ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was found for one reply."""

    ids: tuple[str, ...]  # of the memories
    memories: tuple[str, ...]  # as sentences
    exemplars: tuple[str, ...]


class Library:
    """Texts by id in RAM, vectors by id in the index."""

    def __init__(self, embed: Callable[[str], Vector], index: Meanings, bank: Bank, most_memories: int) -> None:
        self._embed, self._index, self._bank, self._most = embed, index, bank, most_memories
        self._rows: dict[str, Kept] = {}
        self._indexed = index.ids()

    def keep(self, rows: Sequence[Kept]) -> None:
        """Remember these; a row that is told again changes nothing."""
        self._rows |= {row.id: row for row in rows}
        new = [row for row in rows if row.id not in self._indexed]
        if not new:
            return
        try:
            self._index.add([row.id for row in new], self._embed_all(new))
            self._indexed |= {row.id for row in new}
        except EngineError as trouble:
            log.warning("%s: %s", trouble.code, trouble.sentence)
            self._rebuild(list(self._rows.values()))

    def settle(self) -> None:
        """Every row has been told: what the index holds beyond them was forgotten while we were away."""
        if self._indexed - self._rows.keys():
            self._rebuild(list(self._rows.values()))

    def learn(self, count: int) -> bool:
        """Prepare up to `count` more exemplars; False when all are prepared."""
        self._bank.learn(count)
        return not self._bank.complete

    def forget(self, ids: Sequence[str], everything: bool) -> int:
        """Erase, rebuild, look: how many vectors the new index holds. EngineError if one could still be found."""
        gone = set(self._rows) if everything else set(ids)
        forgotten = self._embed_all([row for i, row in self._rows.items() if i in gone][:SCRUBBED])
        self._rows = {i: row for i, row in self._rows.items() if i not in gone}
        self._rebuild(list(self._rows.values()), forgotten)
        held = self._index.ids()
        if held != self._rows.keys():
            raise EngineError("memory-not-erased", "Something that should be forgotten is still in the index.", "Ask again to forget it.")
        return len(held)

    def draw(self, *, who: str, session: str, said: Sequence[str], last_words: str, intent: str) -> Drawn:
        """What fits `last_words`. A broken index costs the memories of this reply, and is built again."""
        if not last_words.strip():
            return Drawn((), (), ())
        vector = self._embed(last_words)
        chosen = choose(self._near(vector), who=who, session=session, said=[*said, last_words], most=self._most) if self._most else []
        memories = tuple(sentence(row.text, row.source) for row in chosen)
        return Drawn(tuple(row.id for row in chosen), memories, self._bank.nearest(vector, intent))

    def _near(self, vector: Vector) -> list[Found]:
        if not self._rows:
            return []
        try:
            nearest = self._index.nearest(vector, LOOK_AT)
        except EngineError as trouble:
            log.warning("%s: %s", trouble.code, trouble.sentence)
            self._rebuild(list(self._rows.values()))
            return []
        return [Found(self._rows[i], likeness) for i, likeness in nearest if i in self._rows]

    def _rebuild(self, rows: list[Kept], forgotten: Vectors | None = None) -> None:
        """A new folder with these rows; vectors are taken over where the old index can still tell them."""
        ids = [row.id for row in rows]
        try:
            known = [i for i in ids if i in self._indexed]
            old = dict(zip(known, self._index.vectors(known), strict=True))
        except EngineError:
            old = {}
        vectors = np.stack([old[r.id] if r.id in old else self._embed(r.text) for r in rows]) if rows else self._embed_all([])
        self._indexed = set()
        self._index.replace(ids, vectors, self._embed_all([]) if forgotten is None else forgotten)
        self._indexed = set(ids)

    def _embed_all(self, rows: Sequence[Kept]) -> Vectors:
        return np.stack([self._embed(row.text) for row in rows]) if rows else np.zeros((0, DIMENSIONS), np.float32)
