"""Sentences as directions: all-MiniLM-L6-v2 in numpy.

A sentence becomes a unit vector of 384 numbers; the dot product of two says how near their meanings are. Six transformer
layers are a page of numpy and cost 3-12 ms a sentence on one core, so no second inference engine is needed on the floor.
The weights are memory-mapped: the services that embed share one copy of them.
Source: all-MiniLM-L6-v2 (Apache-2.0); weights in the public safetensors layout of a BERT encoder, mean pooling, L2 norm.
"""

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.errors import EngineError

DIMENSIONS = 384
LAYERS, HEADS, EPSILON = 6, 12, 1e-12
MAX_TOKENS = 128  # a long utterance is cut: its first hundred words carry its meaning

Vector = NDArray[np.float32]  # (384,), length 1
Vectors = NDArray[np.float32]  # (n, 384)


class Embedder:
    """`Embedder(folder)` reads `minilm.safetensors` and `minilm-tokenizer.json`; EngineError if they cannot be used."""

    def __init__(self, folder: Path) -> None:
        try:
            from tokenizers import Tokenizer

            self._tokenizer = Tokenizer.from_file(str(folder / "minilm-tokenizer.json"))
            self._tokenizer.no_padding()  # padding to 256 tokens would cost ten times as much for a short sentence
            self._tokenizer.enable_truncation(MAX_TOKENS)
            self._w = _map_weights(folder / "minilm.safetensors")
            self.embed("warm")
        except Exception as error:  # the tokenizer library raises bare Exception
            raise EngineError(
                "embedding-missing", "The model that compares meanings cannot be read.", "Run ./install.sh again, or: beside models verify"
            ) from error

    def embed(self, sentence: str) -> Vector:
        """The unit vector of one sentence."""
        ids = np.asarray(self._tokenizer.encode(sentence).ids)
        mean = self._encode(ids).mean(axis=0)
        unit: Vector = (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)
        return unit

    def embed_all(self, sentences: list[str]) -> Vectors:
        """One row a sentence."""
        return np.stack([self.embed(s) for s in sentences]) if sentences else np.zeros((0, DIMENSIONS), np.float32)

    def _encode(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Token ids (n,) → hidden states (n, 384)."""
        w, n = self._w, len(ids)
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:n]
        x = _norm(x + w["embeddings.token_type_embeddings.weight"][0], w, "embeddings.LayerNorm")
        for i in range(LAYERS):
            at = f"encoder.layer.{i}."
            q, k, v = (
                _linear(x, w, f"{at}attention.self.{name}").reshape(n, HEADS, -1).transpose(1, 0, 2) for name in ("query", "key", "value")
            )
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ v
            x = _norm(
                x + _linear(mixed.transpose(1, 0, 2).reshape(n, -1), w, f"{at}attention.output.dense"), w, f"{at}attention.output.LayerNorm"
            )
            x = _norm(x + _linear(_gelu(_linear(x, w, f"{at}intermediate.dense")), w, f"{at}output.dense"), w, f"{at}output.LayerNorm")
        return x


def _map_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every tensor of a safetensors file as a read-only view of the mapped file."""
    with path.open("rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        if header_bytes > 1_000_000:
            raise ValueError("not a safetensors file")
        header = json.loads(file.read(header_bytes))
    raw = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + header_bytes)
    views = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            views[name] = raw[start:end].view(np.float32).reshape(entry["shape"])
    return views


def _linear(x: NDArray[np.float32], w: dict[str, NDArray[np.float32]], name: str) -> NDArray[np.float32]:
    out: NDArray[np.float32] = x @ w[f"{name}.weight"].T + w[f"{name}.bias"]
    return out


def _norm(x: NDArray[np.float32], w: dict[str, NDArray[np.float32]], name: str) -> NDArray[np.float32]:
    centred = x - x.mean(axis=-1, keepdims=True)
    out: NDArray[np.float32] = (
        centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON) * w[f"{name}.weight"] + w[f"{name}.bias"]
    )
    return out


def _gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The exact GELU needs erf, which numpy lacks; Abramowitz and Stegun 7.1.26 is within 1.5e-7 of it."""
    z = x / np.sqrt(np.float32(2))
    t = 1 / (1 + np.float32(0.3275911) * np.abs(z))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * np.float32(1.061405429)))))
    erf = np.sign(z) * (1 - poly * np.exp(-z * z))
    out: NDArray[np.float32] = (0.5 * x * (1 + erf)).astype(np.float32)
    return out
