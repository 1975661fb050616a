"""The index of meanings: chromadb with ids and vectors, and no text anywhere on its disk.

The journal is the truth and this is only a way to find it: whatever happens to the folder, it is deleted and written anew.
Deleting rows inside chromadb would leave their traces in its files, so forgetting, too, is a new folder.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device.embedding import DIMENSIONS, Vector, Vectors
from device.errors import EngineError

log = logging.getLogger(__name__)

NAME = "memories"
PIECE = 64  # bytes; an old vector may have been overwritten in part
AT_ONCE = 1000  # vectors in one call


class Index:
    """Memories by meaning, in `folder`. A broken folder is replaced by an empty one: ask `ids` what it holds."""

    def __init__(self, folder: Path) -> None:
        os.environ["ANONYMIZED_TELEMETRY"] = "False"
        self._folder = folder
        self._client: Any = None
        self._rows: Any = None
        try:
            self._open()
            self.ids()
        except Exception as error:  # noqa: BLE001  # chromadb raises whatever its Rust core, SQLite or pickle raise
            log.warning("memory index: unreadable (%s), starting it anew", type(error).__name__)
            self.replace([], np.zeros((0, DIMENSIONS), np.float32), np.zeros((0, DIMENSIONS), np.float32))

    def ids(self) -> set[str]:
        return set(self._rows.get(include=[])["ids"])

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Vectors (n, 384). EngineError if the folder cannot be written: `replace` it."""
        try:
            for at in range(0, len(ids), AT_ONCE):
                self._rows.upsert(ids=list(ids[at : at + AT_ONCE]), embeddings=vectors[at : at + AT_ONCE])
        except Exception as error:  # as above
            raise _broken() from error

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The stored vectors, one row an id, in that order. EngineError if one cannot be read."""
        try:
            stored = self._rows.get(ids=list(ids), include=["embeddings"]) if ids else {"ids": [], "embeddings": []}
            by_id = dict(zip(stored["ids"], stored["embeddings"], strict=True))
            return np.stack([by_id[i] for i in ids]).astype(np.float32) if ids else np.zeros((0, DIMENSIONS), np.float32)
        except Exception as error:  # as above
            raise _broken() from error

    def nearest(self, vector: Vector, count: int) -> list[tuple[str, float]]:
        """Up to `count` ids with the cosine of each, nearest first. EngineError if the folder cannot be read."""
        try:
            found = self._rows.query(query_embeddings=vector[None, :], n_results=count, include=["distances"])
            return [(i, 1.0 - float(distance)) for i, distance in zip(found["ids"][0], found["distances"][0], strict=True)]
        except Exception as error:  # as above
            raise _broken() from error

    def replace(self, ids: Sequence[str], vectors: Vectors, forgotten: Vectors) -> None:
        """Delete the folder with everything in it and write it anew, without a trace of `forgotten`. EngineError if the disk refuses.

        The index's own memory is not cleared between one life and the next: what it writes into the unused part of a new file
        may be an old vector. So the files are looked through once they are written.
        """
        self.close()
        try:
            if self._folder.exists():
                shutil.rmtree(self._folder)
            self._open()
            self.add(ids, vectors)
            if len(forgotten):
                self.close()
                _scrub(self._folder, forgotten, vectors)
                self._open()
        except Exception as error:  # as above
            raise _broken() from error

    def close(self) -> None:
        """Let go of the files. chromadb keeps a client for each path, also one that failed to open: it must forget it."""
        from chromadb.api.shared_system_client import SharedSystemClient

        if self._client is not None:
            with contextlib.suppress(Exception):  # a broken client may fail to close; its folder is deleted next
                self._client.close()
        self._client = self._rows = None
        SharedSystemClient.clear_system_cache()

    def _open(self) -> None:
        import chromadb
        from chromadb.config import Settings

        self._folder.mkdir(parents=True, exist_ok=True, mode=0o770)  # the recorder, of our group, may delete it
        self._client = chromadb.PersistentClient(path=str(self._folder), settings=Settings(anonymized_telemetry=False))
        self._rows = self._client.get_or_create_collection(
            NAME, embedding_function=None, configuration={"hnsw": {"space": "cosine", "num_threads": 1}}
        )


def _scrub(folder: Path, forgotten: Vectors, kept: Vectors) -> None:
    """Overwrite with zeros every piece of a forgotten vector that is no piece of a kept one."""
    needed = b"".join(row.tobytes() for row in kept)
    pieces = [raw[i : i + PIECE] for row in forgotten for raw in [row.astype(np.float32).tobytes()] for i in range(0, len(raw), PIECE)]
    for file in folder.rglob("*.bin"):
        before = after = file.read_bytes()
        for piece in pieces:
            if piece in after and piece not in needed:
                after = after.replace(piece, bytes(len(piece)))
        if after != before:
            file.write_bytes(after)


def _broken() -> EngineError:
    return EngineError("memory-index-broken", "The index of memories cannot be used.", "Is the disk full? It is built again by itself.")
