"""A Piper voice of a few hundred bytes, written by hand: the real interface, a tone instead of speech.

input int64 [1, T], input_lengths int64 [1], scales float32 [3] (noise, length, noise of durations) → float32 [1, 1, 1, N]
N = 400 · T · length scale samples, so a longer text and a slower pace make a longer tone, as in a real voice.
The file format is ONNX's protobuf; the numbers are its field numbers.
"""

import json
import struct
from collections.abc import Iterable
from pathlib import Path

RATE_HZ = 22_050
SAMPLES_PER_PHONEME = 400
FLOAT, INT64 = 1, 7
PHONEMES = ["_", "^", "$", " ", *"abcdefghijklmnopqrstuvwxyzæðŋɐɑɒɔəɚɛɜɡɪɹʃʊʌʒθːˈˌ,.?!';:ɾᵻ̩"]


def write_voice(folder: Path, name: str = "tone") -> Path:
    """Write NAME.onnx and NAME.onnx.json; the path of the first."""
    path = folder / f"{name}.onnx"
    path.write_bytes(_model())
    settings = {
        "audio": {"sample_rate": RATE_HZ, "quality": "x_low"},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.6, "length_scale": 1.0, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_id_map": {symbol: [i] for i, symbol in enumerate(PHONEMES)},
        "num_symbols": len(PHONEMES),
        "num_speakers": 1,
        "speaker_id_map": {},
    }
    Path(f"{path}.json").write_text(json.dumps(settings), encoding="utf-8")
    return path


def _model() -> bytes:
    nodes = [
        _node("Cast", ["input_lengths"], "tokens", to=FLOAT),
        _node("Gather", ["scales", "one"], "scale"),
        _node("Mul", ["tokens", "scale"], "stretched"),
        _node("Mul", ["stretched", "samples_per_phoneme"], "samples"),
        _node("Squeeze", ["samples"], "count"),
        _node("Range", ["zero", "count", "step"], "time"),
        _node("Mul", ["time", "radians"], "angle"),
        _node("Sin", ["angle"], "wave"),
        _node("Mul", ["wave", "height"], "tone"),
        _node("Reshape", ["tone", "shape"], "output"),
    ]
    constants = [
        _tensor("one", INT64, [1], [1]),
        _tensor("samples_per_phoneme", FLOAT, [1], [SAMPLES_PER_PHONEME]),
        _tensor("zero", FLOAT, [], [0.0]),
        _tensor("step", FLOAT, [], [1.0]),
        _tensor("radians", FLOAT, [1], [0.08]),
        _tensor("height", FLOAT, [1], [0.4]),
        _tensor("shape", INT64, [4], [1, 1, 1, -1]),
    ]
    inputs = [_value("input", INT64, ["batch", "phonemes"]), _value("input_lengths", INT64, ["batch"]), _value("scales", FLOAT, [3])]
    output = _value("output", FLOAT, ["batch", "one_channel", "one_row", "time"])
    graph = b"".join(
        [_many(1, nodes), _field(2, b"tone"), _many(5, constants), _many(11, inputs), _field(12, output)],
    )
    return _number(1, 8) + _field(7, graph) + _field(8, _number(2, 15))  # IR version 8, operator set 15


def _node(kind: str, inputs: list[str], output: str, **integers: int) -> bytes:
    attributes = [_field(1, key.encode()) + _number(3, value) + _number(20, 2) for key, value in integers.items()]  # 20: kind INT
    return _many(1, [i.encode() for i in inputs]) + _field(2, output.encode()) + _field(4, kind.encode()) + _many(5, attributes)


def _tensor(name: str, kind: int, shape: list[int], values: list[float]) -> bytes:
    raw = struct.pack(f"<{len(values)}{'q' if kind == INT64 else 'f'}", *values)
    return b"".join(_number(1, size) for size in shape) + _number(2, kind) + _field(8, name.encode()) + _field(9, raw)


def _value(name: str, kind: int, shape: list[str | int]) -> bytes:
    sizes = [_field(1, _field(2, size.encode()) if isinstance(size, str) else _number(1, size)) for size in shape]
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, b"".join(sizes))))


def _many(number: int, contents: Iterable[bytes]) -> bytes:
    return b"".join(_field(number, content) for content in contents)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
