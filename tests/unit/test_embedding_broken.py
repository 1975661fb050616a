"""A model that compares meanings but cannot be used gets one sentence, whatever is wrong with its files."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from device.embedding import Embedder, _map_weights
from device.errors import EngineError

TOKENIZER = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None, "decoder": None, "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "warm": 1}, "unk_token": "[UNK]"},
}  # fmt: skip


def weights(tensors: dict[str, np.ndarray]) -> bytes:
    header, data = {}, b""
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + tensor.nbytes]}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights({"a": table, "b": table[0]}))
    views = _map_weights(path)
    assert np.array_equal(views["a"], table)
    assert np.array_equal(views["b"], table[0])
    assert not views["a"].flags.writeable


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"abc", b"\xff" * 16, struct.pack("<Q", 10) + b"not a json", weights({"a": np.zeros(100, np.float32)})[:-40],
        weights({"some.other.model": np.zeros(4, np.float32)}),
    ],
    ids=["missing", "empty", "short", "giant-header", "no-json", "truncated", "another-model"],
)  # fmt: skip
def test_weights_that_cannot_be_used_are_an_engine_error(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "minilm-tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    if content is not None:
        (tmp_path / "minilm.safetensors").write_bytes(content)
    with pytest.raises(EngineError) as failed:
        Embedder(tmp_path)
    assert failed.value.code == "embedding-missing"
    assert failed.value.remedy


@pytest.mark.parametrize("content", [None, "", "{}", "[1]"])
def test_a_tokenizer_that_cannot_be_used_is_an_engine_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "minilm-tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(EngineError):
        Embedder(tmp_path)
