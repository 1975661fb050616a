"""WAV files as people have them: any rate, any number of channels, 8 to 32 bit or float, sizes wrong, cut off in the middle.

The standard library's reader refuses extensible and float files and files whose header promises more than there is; a file
that was cut off still holds speech, so we read what is there.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.audio import Pcm
from device.errors import InputError

LARGEST_BYTES = 1 << 30  # five hours of 16 kHz stereo; more is a mistake
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


@dataclass(frozen=True, slots=True)
class _Format:
    kind: int
    channels: int
    rate_hz: int
    bits: int


def read_wav(path: Path) -> tuple[Pcm, int]:
    """The file as mono 16-bit samples and its rate in Hz. InputError says what is wrong with a file that holds no sound."""
    shape, data = _chunks(path, _bytes_of(path))
    if shape is None:
        raise InputError(
            "wav-broken", f"{path.name} is a WAV file without a description of its sound.", "Save the recording again as PCM WAV."
        )
    if shape.kind not in (_PCM, _FLOAT) or shape.bits not in (8, 16, 24, 32, 64) or not 1 <= shape.channels <= 64 or shape.rate_hz < 1000:
        raise InputError("wav-unknown-kind", f"{path.name} holds a kind of sound that Beside cannot read.", "Save it as 16-bit PCM WAV.")
    samples = _samples(data, shape)
    if samples.size < shape.channels:
        raise InputError("wav-empty", f"{path.name} holds no sound at all.", "Record it again, or choose another file.")
    whole = samples[: samples.size // shape.channels * shape.channels].reshape(-1, shape.channels)
    mono = whole.mean(axis=1, dtype=np.float64) * 32768.0
    return np.clip(np.round(mono), -32768, 32767).astype(np.int16), shape.rate_hz


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError("wav-too-large", f"{path.name} is larger than a gigabyte.", "Cut it into shorter pieces.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError("wav-missing", f"There is no file {path}.", "Check the name and the folder.") from error
    except OSError as error:
        raise InputError("wav-unreadable", f"{path} cannot be read.", "Check that it is a file and that Beside may read it.") from error


def _chunks(path: Path, content: bytes) -> tuple[_Format | None, bytes]:
    """The format chunk and the data chunk; a data chunk that ends too early, or whose size was never filled in, is what is there."""
    if not content:
        raise InputError("wav-empty", f"{path.name} is an empty file.", "Record it again, or choose another file.")
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise InputError("wav-not-wav", f"{path.name} is not a WAV file.", "Convert it, for example: sox FILE out.wav")
    shape, at = None, 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], struct.unpack_from("<I", content, at + 4)[0]
        body = content[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if kind == _EXTENSIBLE and len(body) >= 26:
                kind = struct.unpack_from("<H", body, 24)[0]
            shape = _Format(kind, channels, rate_hz, bits)
        elif name == b"data":
            return shape, content[at + 8 :] if size in (0, 0xFFFFFFFF) else body
        at += 8 + size + size % 2
    return shape, b""


def _samples(data: bytes, shape: _Format) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Samples in -1…1, channels interleaved; a sample that is cut off at the end is left out."""
    width = shape.bits // 8
    data = data[: len(data) // width * width]
    if shape.kind == _FLOAT:
        floats = np.frombuffer(data, "<f8" if width == 8 else "<f4").astype(np.float64)
        return np.nan_to_num(np.clip(floats, -1.0, 1.0), nan=0.0)
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128.0) / 128.0
    if width == 3:
        three = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        return (((three[:, 2] << 24) | (three[:, 1] << 16) | (three[:, 0] << 8)) >> 8).astype(np.float64) / (1 << 23)
    return np.frombuffer(data, {2: "<i2", 4: "<i4"}[width]).astype(np.float64) / (1 << (shape.bits - 1))
