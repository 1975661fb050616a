"""A language model with random weights, written as a GGUF by hand: nonsense words, but every real step of the engine.

python -m tests.tiny_gguf OUT.gguf        (about 0.6 MB)
"""

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

from models.workshop.format import MARKERS

TAUGHT = """you your i my the a is are it and to of in that me tell about night miss garden here with am not do what would like hear
quiet sleep rain tea mother daughter today long time nurse pain alone music bird window"""
DIM, LAYERS, HEADS, FFN, CONTEXT = 64, 2, 4, 128, 1024


def write(
    path: Path, markers: tuple[str, ...] = MARKERS, context: int = CONTEXT, seed: int = 7, layers: int = LAYERS, dim: int = DIM
) -> Path:
    """Write the model and return its path. `markers[0]` begins and `markers[1]` ends a text."""
    tokens, merges = _vocabulary(markers)
    keys: list[tuple[str, Any]] = [
        ("general.architecture", "llama"), ("general.name", "tiny"), ("llama.context_length", context), ("llama.embedding_length", dim),
        ("llama.block_count", layers), ("llama.feed_forward_length", 2 * dim), ("llama.attention.head_count", HEADS),
        ("llama.attention.head_count_kv", HEADS), ("llama.rope.dimension_count", dim // HEADS), ("llama.vocab_size", len(tokens)),
        ("llama.attention.layer_norm_rms_epsilon", 1e-5), ("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "gpt-2"),
        ("tokenizer.ggml.tokens", tokens), ("tokenizer.ggml.merges", merges),
        ("tokenizer.ggml.token_type", [3 if i < len(markers) else 1 for i in range(len(tokens))]),
        ("tokenizer.ggml.bos_token_id", 0), ("tokenizer.ggml.eos_token_id", 1),
    ]  # fmt: skip
    tensors = _tensors(len(tokens), layers, dim, np.random.default_rng(seed))
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys)) + b"".join(_text(k) + _value(v) for k, v in keys)
    data = bytearray()
    for name, array in tensors.items():
        header += _text(name) + struct.pack("<I", array.ndim) + struct.pack(f"<{array.ndim}Q", *reversed(array.shape))
        header += struct.pack("<IQ", 0, len(data))
        data += array.tobytes()
        data += bytes(-len(data) % 32)
    path.write_bytes(header + bytes(-len(header) % 32) + data)
    return path


def _vocabulary(markers: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Markers, the 256 bytes in GPT-2's printable alphabet, and a few words with the merges that make them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in shown] + [chr(256 + i) for i in range(256 - len(shown))]
    space = chr(256 + 32)  # how GPT-2 shows a space
    tokens, merges = [*markers, *letters], []
    for word in TAUGHT.split():
        whole = space
        for letter in word:
            merges.append(f"{whole} {letter}")
            whole += letter
            if whole not in tokens:
                tokens.append(whole)
    return tokens, list(dict.fromkeys(merges))


def _tensors(words: int, layers: int, dim: int, rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    def random(*shape: int) -> np.ndarray[Any, Any]:
        return (rng.standard_normal(shape) * 0.15).astype(np.float32)

    found = {"token_embd.weight": random(words, dim), "output_norm.weight": np.ones(dim, np.float32)}
    for i in range(layers):
        at = f"blk.{i}."
        found |= {f"{at}attn_norm.weight": np.ones(dim, np.float32), f"{at}ffn_norm.weight": np.ones(dim, np.float32)}
        found |= {f"{at}attn_{name}.weight": random(dim, dim) for name in ("q", "k", "v", "output")}
        found |= {f"{at}ffn_gate.weight": random(2 * dim, dim), f"{at}ffn_up.weight": random(2 * dim, dim)}
        found[f"{at}ffn_down.weight"] = random(dim, 2 * dim)
    return found


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_text(v) for v in value)
    return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
