"""Unpack a zip archive that somebody may have made to do harm.

Everything is judged from the archive's own list before a byte is written, and the bytes are counted again while they are
written, because the list may lie. The result stands in a fresh folder; whoever asked moves it to its place.
"""

import hashlib
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from device.errors import InputError
from models.shelf import disk_trouble, need_space

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """More than any speech model needs."""

    files: int = 5_000
    total_bytes: int = 20_000_000_000
    ratio: int = 100  # unpacked to packed, over the whole archive; models of numbers stay under 5
    depth: int = 12


USUAL = Limits()
Sums = dict[str, str]  # path inside the unpacked folder → sha256
# What zipfile raises for damaged input: a flipped bit may look like encryption, an unknown method or a name in no known code.
BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError, struct.error)


@contextmanager
def unpacked(archive: Path, folder: Path, limits: Limits = USUAL) -> Iterator[tuple[Path, Sums]]:
    """Unpack `archive` into a hidden folder inside `folder`, which goes away afterwards: the folder to move in place, and its sums.

    An archive whose files all lie in one folder gives that folder. InputError when it is broken or harmful.
    """
    work = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder))
    try:
        yield _unpack(archive, work, limits)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack(archive: Path, work: Path, limits: Limits) -> tuple[Path, Sums]:
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = _judge(packed, archive.stat().st_size, limits)
            need_space(work, sum(e.file_size for e in entries))
            inside = work / "inside"
            sums = {_path(e).as_posix(): _write(packed, e, inside) for e in entries}
    except BROKEN as error:
        raise InputError("archive-broken", f"{archive.name} is not a whole zip archive.", "Nothing was taken.") from error
    except OSError as error:
        raise disk_trouble(error, archive.name) from error
    tops = {PurePosixPath(name).parts[0] for name in sums}
    if len(tops) == 1 and all("/" in name for name in sums):
        return inside / tops.pop(), {name.partition("/")[2]: total for name, total in sums.items()}
    return inside, sums


def _judge(packed: zipfile.ZipFile, archive_bytes: int, limits: Limits) -> list[zipfile.ZipInfo]:
    """The files to write; InputError names the first thing that no honest archive has."""
    entries = [e for e in packed.infolist() if not e.is_dir()]
    total = sum(e.file_size for e in entries)
    if len(packed.infolist()) > limits.files:
        raise _harm(f"it holds {len(packed.infolist()):,} files")
    if total > limits.total_bytes or total > limits.ratio * archive_bytes:
        raise _harm(f"it would grow from {archive_bytes:,} to {total:,} bytes")
    if sum(e.compress_size for e in entries) > archive_bytes:
        raise _harm("its files overlap")
    seen: set[str] = set()
    for entry in packed.infolist():
        path = _path(entry)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _harm(f"{path} is a link or a device")
        if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _harm(f"{path} is encrypted or packed in an unusual way")
        if len(path.parts) > limits.depth:
            raise _harm(f"{path} lies too deep")
        if path.as_posix().casefold() in seen:
            raise _harm(f"{path} is in it twice")
        seen.add(path.as_posix().casefold())
    if not entries:
        raise _harm("it is empty")
    return entries


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    """The entry's path, relative and without tricks."""
    name = entry.orig_filename if "\0" in entry.orig_filename else entry.filename
    path = PurePosixPath(name)
    strange = "\\" in name or "\0" in name or ":" in name or any(not c.isprintable() for c in name)
    if strange or path.is_absolute() or ".." in path.parts or not path.parts:
        raise _harm("a file in it would leave its folder")
    return path


def _harm(what: str) -> InputError:
    return InputError("archive-harmful", f"The archive is not what a model looks like: {what}.", "Nothing was taken.")


def _write(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, inside: Path) -> str:
    """One file, counted while it is written; its sha256."""
    target = inside / _path(entry)
    target.parent.mkdir(parents=True, exist_ok=True)
    state, left = hashlib.sha256(), entry.file_size
    with packed.open(entry) as source, target.open("xb") as out:
        while block := source.read(CHUNK_BYTES):
            left -= len(block)
            if left < 0:
                raise _harm("a file in it is larger than it says")
            out.write(block)
            state.update(block)
    if left:
        raise _harm("a file in it is smaller than it says")
    return state.hexdigest()
