"""The shelf: the folder where models lie. A file gets there in one step, whole and proven, or not at all.

Everything is made under a name that begins with a dot and renamed when it is right, so a power cut at any moment leaves the
old file or the new one, never a half.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device.config import ROOT
from device.errors import InputError
from models.catalogue import Model, ModelFile, place_of

CHUNK_BYTES = 1 << 20
MARGIN = 1.2  # free space wanted, as a multiple of what will be written


def digest(path: Path, kind: str = "sha256", moved: Callable[[int], None] = lambda _: None) -> str:
    """The hex digest of a file, read in pieces."""
    state = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            state.update(block)
            moved(len(block))
    return state.hexdigest()


def prove(path: Path, file: ModelFile) -> None:
    """InputError unless the bytes at `path` are those that the catalogue names."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise InputError("model-wrong-size", f"{file.file} is {size:,} bytes, not {file.bytes:,}.", "It was not taken.")
    for kind, wanted in (("sha256", file.sha256), ("md5", file.md5)):
        if wanted and (found := digest(path, kind)) != wanted:
            raise InputError(
                "model-wrong-hash", f"{file.file} is not the file that the catalogue names: {kind} {found}.", "It was not taken."
            )
    if not (file.sha256 or file.md5):
        raise InputError("model-unproven", f"No checksum of {file.file} is known.", "Name it: --sha256 HEX")


def settle(fresh: Path, target: Path) -> None:
    """Put a proven file or folder in its place, through to the disk."""
    if fresh.is_file():
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
    old = target.with_name(f".{target.name}.old")
    if target.is_dir():  # a folder cannot be replaced in one step; `recover` ends what a power cut interrupts
        target.rename(old)
    fresh.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """After a power cut between the two renames of a folder: the old one comes back."""
    for old in folder.glob(".*.old"):
        target = old.with_name(old.name.removeprefix(".").removesuffix(".old"))
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(target)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one fetch at a time may write to the folder: two would append to the same part. InputError if another is at it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InputError("fetch-running", "Another fetch is at work in this folder.", "Wait until it is over.") from error
    finally:
        os.close(handle)


def need_space(folder: Path, wanted_bytes: int) -> None:
    """InputError unless a fifth more than `wanted_bytes` is free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < wanted_bytes * MARGIN:
        raise InputError(
            "disk-too-small",
            f"{wanted_bytes * MARGIN / 1e9:.2f} GB are needed in {folder}, {free / 1e9:.2f} GB are free.",
            "Make room, or set paths.models in config.yaml to a larger disk.",
        )


def disk_trouble(error: OSError, what: str) -> InputError:
    """What a failed write means to a person."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return InputError(
            "disk-full", f"The disk is full; {what} was not taken.", "Make room and fetch again: it goes on where it stopped."
        )
    return InputError("disk-trouble", f"{what} cannot be written ({error.strerror}).", "Check the folder's owner and the disk.")


@dataclass(frozen=True, slots=True)
class Finding:
    """What `verify` saw of one file. `trouble` empty: it is whole."""

    model: str
    file: str
    trouble: str = ""


def sums_path(unpacked: Path) -> Path:
    """The list of what an unpacked archive held, written when it was proven."""
    return unpacked.with_name(f".{unpacked.name}.sums.json")


def write_sums(proof: str, files: dict[str, str], unpacked: Path) -> None:
    """`proof`: the archive's own hash; `files`: path inside the folder → sha256."""
    path = sums_path(unpacked)
    fresh = path.with_name(f"{path.name}.part")
    fresh.write_text(json.dumps({"archive": proof, "files": files}, indent=0), encoding="utf-8")
    fresh.replace(path)


def project_sum(path: Path) -> str | None:
    """The sum beside a file that comes with Beside (`sha256sum`'s form), None where there is none."""
    try:
        return path.with_name(f"{path.name}.sha256").read_text(encoding="ascii").split()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        return None


def inspect(model: Model, folder: Path) -> list[Finding]:
    """Every file of the model compared with what it should be."""
    return [Finding(model.name, f.placed, trouble) for f in model.files for trouble in _troubles(f, folder)]


def _troubles(file: ModelFile, folder: Path) -> list[str]:
    """The troubles of one file; a single empty one when it is whole."""
    path = place_of(file, folder)
    try:
        if file.project:
            wanted = project_sum(path)
            if wanted is None:
                return [""] if path.is_file() else ["missing"]
            return [""] if digest(path) == wanted else [f"differs from {path.relative_to(ROOT)}.sha256"]
        if not path.exists():
            return ["missing"]
        if file.unpack:
            return _troubles_of_folder(path, file.sha256 or file.md5) or [""]
        if not (file.sha256 or file.md5):
            return [""] if digest(path) == project_sum(path) else ["differs from the sum it was fetched with"]
        prove(path, file)
    except OSError as error:
        return [f"cannot be read ({error.strerror})"]
    except InputError as trouble:
        return [trouble.sentence]
    return [""]


def _troubles_of_folder(path: Path, proof: str | None) -> list[str]:
    try:
        kept = json.loads(sums_path(path).read_text(encoding="utf-8"))
        archive, sums = str(kept["archive"]), dict(kept["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return ["was not put here by Beside: fetch it again"]
    if proof is not None and archive != proof:
        return ["is of another archive than the catalogue names"]
    broken = [name for name, wanted in sums.items() if not (path / name).is_file() or digest(path / name) != wanted]
    return [f"{name} is broken or missing" for name in broken]
