"""Is this file a language model? Read before llama.cpp sees it, which may abort the process on a file that lies.

A GGUF (version 2 or 3, little-endian) is: magic, version, number of tensors, number of keys; the keys with typed values;
the list of tensors (name, shape, type, offset); then the data, aligned. Every length is checked against the file's own size.
Source: the format's public description; sizes of the quantised blocks as in ggml.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from device.config import ROOT, Config
from device.errors import EngineError
from models import catalogue

STARTER = ROOT / "models" / "starter" / "beside-starter.gguf"

_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # value type → bytes
_INTEGERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 10: "<Q", 11: "<q"}
_STRING, _ARRAY = 8, 9
# ggml type → (weights in a block, bytes of a block); an unknown type is only checked to begin inside the file
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84), 11: (256, 110), 12: (256, 144),
    13: (256, 176), 14: (256, 210), 20: (32, 18), 23: (256, 136), 30: (1, 2),
}  # fmt: skip
_MOST_KEYS, _MOST_TENSORS, _MOST_DIMENSIONS = 4096, 65_536, 4
_NOT_A_MODEL_HERE = {"clip", "bert", "nomic-bert", "jina-bert-v2", "whisper", "t5encoder", "wavtokenizer-dec"}


@dataclass(frozen=True, slots=True)
class Header:
    """What we need to know about a model before it is loaded."""

    architecture: str
    context_tokens: int  # trained length; 0 if the file does not say
    file_bytes: int


def resolve(config: Config) -> tuple[Path, str]:
    """The file that `thinker.model` means, and its prompt family ("": ask the model's vocabulary).

    "starter", a name of the catalogue, a path to a GGUF, or the name of a file among the fetched models.
    """
    name = config.thinker.model
    if name == "starter":
        return STARTER, "starter"
    folder = catalogue.models_folder(config)
    for model in catalogue.load().models:
        if model.kind == "llm" and model.name.lower() == name.lower():
            return catalogue.place_of(model.files[0], folder), model.prompt or ""
    given = Path(name).expanduser()
    candidates = [given, folder / name, folder / f"{name}.gguf"]
    return next((path for path in candidates if path.is_file()), given if "/" in name else candidates[-1]), ""


def check(path: Path) -> Header:
    """The header of a GGUF; EngineError with the reason when it is missing, no GGUF, cut short, or no language model."""
    try:
        size = path.stat().st_size
        if path.is_dir() or size < 24:
            raise _bad("model-wrong-kind", f"{path.name} is not a language model in GGUF format.")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data, path.name).header()
    except FileNotFoundError as error:
        raise _bad("model-missing", f"The language model {path.name} is not there.") from error
    except OSError as error:
        raise _bad("model-unreadable", f"The language model {path.name} cannot be read ({error.strerror}).") from error


def _bad(code: str, sentence: str) -> EngineError:
    return EngineError(code, sentence, "Run ./install.sh again, or choose another model: beside models list")


class _Reader:
    """Walks the header; the position never leaves the file."""

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self._data, self._name, self._at = data, name, 0

    def header(self) -> Header:
        if self._take(4) != b"GGUF":
            raise _bad("model-wrong-kind", f"{self._name} is not a language model in GGUF format.")
        version, tensors, keys = self._number("<I"), self._number("<Q"), self._number("<Q")
        if version not in (2, 3):
            raise _bad("model-wrong-kind", f"{self._name} is of a GGUF version that Beside cannot read.")
        if keys > _MOST_KEYS or not 0 < tensors <= _MOST_TENSORS:
            raise self._lies()
        values: dict[str, int | str] = {}
        for _ in range(keys):
            key = self._string()
            value = self._value(self._number("<I"))
            if value is not None:
                values[key] = value
        architecture = str(values.get("general.architecture", ""))
        if not architecture or architecture in _NOT_A_MODEL_HERE or "tokenizer.ggml.model" not in values:
            raise _bad("model-wrong-kind", f"{self._name} is a GGUF file, but not a language model that can talk.")
        alignment = values.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 8 <= alignment <= 65_536:
            raise self._lies()
        self._check_tensors(tensors, alignment)
        context = values.get(f"{architecture}.context_length", 0)
        return Header(architecture, context if isinstance(context, int) else 0, len(self._data))

    def _check_tensors(self, count: int, alignment: int) -> None:
        ends = []
        for _ in range(count):
            self._string()
            dimensions = self._number("<I")
            if dimensions > _MOST_DIMENSIONS:
                raise self._lies()
            weights = 1
            for _ in range(dimensions):
                weights *= self._number("<Q")
            per_block, block_bytes = _BLOCKS.get(self._number("<I"), (weights or 1, 1))
            ends.append(self._number("<Q") + weights // per_block * block_bytes)
        start = -(-self._at // alignment) * alignment
        if start + max(ends) > len(self._data):
            raise self._short()

    def _value(self, kind: int) -> int | str | None:
        """A value that we keep (whole numbers and texts), or None for one that is only stepped over."""
        if kind == _STRING:
            return self._string()
        if kind in _INTEGERS:
            return self._number(_INTEGERS[kind])
        if kind in _SCALARS:
            self._take(_SCALARS[kind])
            return None
        if kind != _ARRAY:
            raise self._lies()
        of, count = self._number("<I"), self._number("<Q")
        if of in _SCALARS:
            self._skip(count * _SCALARS[of])
        elif of == _STRING:
            if count > len(self._data) // 8:
                raise self._short()
            for _ in range(count):
                self._skip(self._number("<Q"))
        else:
            raise self._lies()
        return None

    def _string(self) -> str:
        return self._take(self._number("<Q")).decode("utf-8", "replace")

    def _number(self, form: str) -> int:
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return int(number)

    def _take(self, count: int) -> bytes:
        start = self._at
        self._skip(count)
        return self._data[start : self._at]

    def _skip(self, count: int) -> None:
        if count > len(self._data) - self._at:
            raise self._short()
        self._at += count

    def _short(self) -> EngineError:
        return _bad("model-cut-short", f"The language model {self._name} is cut short or damaged.")

    def _lies(self) -> EngineError:
        return _bad("model-damaged", f"The header of the language model {self._name} is damaged.")
