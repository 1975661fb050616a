"""Is this file what its name says? Looked at before it is taken, because the engine that opens it may not survive a lie.

A right hash proves that it is the catalogue's file, not that the file is sound: the user may have given the hash.
"""

import json
import struct
from pathlib import Path

from device.errors import EngineError, InputError
from models.catalogue import Model, ModelFile

MOST_HEADER_BYTES = 100 << 20
MOST_JSON_BYTES = 64 << 20


def look(path: Path, file: ModelFile, model: Model) -> None:
    """InputError when the bytes are those of something else, or their header lies."""
    with path.open("rb") as opened:
        head = opened.read(512)
    kind = Path(file.file).suffix
    if head.lstrip()[:1] == b"<" or head.startswith(b"version https://git-lfs"):
        raise _wrong(file, "a web page or a pointer, not the file itself")
    if model.kind == "llm":
        _look_llm(path, file)
    elif kind == ".gguf" and head[:4] != b"GGUF":
        raise _wrong(file, "no GGUF file")
    elif kind == ".zip" and head[:2] != b"PK":
        raise _wrong(file, "no zip archive")
    elif kind == ".tflite" and head[4:8] != b"TFL3":
        raise _wrong(file, "no TensorFlow Lite model")
    elif kind == ".onnx" and head[:1] != b"\x08":  # the first field of every ONNX model is its format's version
        raise _wrong(file, "no ONNX model")
    elif kind == ".safetensors":
        _look_safetensors(path, file)
    elif kind == ".json":
        _look_json(path, file)


def _look_llm(path: Path, file: ModelFile) -> None:
    # The reader belongs to the thinker, whose engine would fall over such a file; it needs nothing but the bytes.
    from services.thinker.model_file import check

    try:
        check(path)
    except EngineError as error:
        raise InputError("model-header-lies", error.sentence.replace(path.name, file.file), "Nothing was taken.") from error


def _look_safetensors(path: Path, file: ModelFile) -> None:
    """Every tensor must lie inside the file: the weights are memory-mapped later, and a wild offset would end the process."""
    size = path.stat().st_size
    with path.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8).ljust(8, b"\0"))
        if not 2 <= length <= min(size - 8, MOST_HEADER_BYTES):
            raise _wrong(file, "its header is longer than the file")
        try:
            header = json.loads(opened.read(length))
            ends = [int(t["data_offsets"][1]) for name, t in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise _wrong(file, "its header cannot be read") from error
    if max(ends, default=0) != size - 8 - length:
        raise _wrong(file, "its header and its length disagree")


def _look_json(path: Path, file: ModelFile) -> None:
    small = path.stat().st_size <= MOST_JSON_BYTES
    try:
        read = json.loads(path.read_text(encoding="utf-8")) if small else None
    except (ValueError, RecursionError) as error:
        raise _wrong(file, "no JSON") from error
    if not isinstance(read, dict):
        raise _wrong(file, "no JSON object")


def _wrong(file: ModelFile, what: str) -> InputError:
    return InputError("model-wrong-kind", f"What came as {file.file} is {what}.", "Nothing was taken.")
