"""What a stick holds: every file with its size and sha256, in `manifest.json` for us and in `SHA256SUMS` for a bare machine."""

import json
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from device.errors import InputError
from models.catalogue import Sha256, Strict
from models.shelf import digest

MANIFEST, SUMS, SIGNATURE = "manifest.json", "SHA256SUMS", "manifest.json.minisig"


class Held(Strict):
    """One file of the stick."""

    file: Annotated[str, Field(min_length=1, max_length=400)]  # from the stick's root, with forward slashes
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class Manifest(Strict):
    v: Literal[1] = 1
    beside: str  # version
    made: str  # when, ISO 8601
    release: str  # the system its Debian packages are of, such as "debian 12"
    python: str  # the Python its packages are of, such as "3.11"
    models: list[str]
    files: list[Held]


def write(folder: Path, about: Manifest, moved: Callable[[int], None] = lambda _: None) -> Manifest:
    """Write both lists of all that is in `folder`; returns the manifest with its files."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in (MANIFEST, SUMS, SIGNATURE))
    held = [Held(file=p.relative_to(folder).as_posix(), bytes=p.stat().st_size, sha256=digest(p, moved=moved)) for p in paths]
    whole = about.model_copy(update={"files": held})
    (folder / SUMS).write_text("".join(f"{h.sha256}  {h.file}\n" for h in held), encoding="utf-8")
    (folder / MANIFEST).write_text(whole.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return whole


def read(folder: Path) -> Manifest:
    """InputError if there is none, or if it names anything outside the folder."""
    try:
        manifest = Manifest.model_validate(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        raise InputError(
            "bundle-unreadable", f"{folder} is no bundle of Beside: its {MANIFEST} cannot be read.", "Make a new one."
        ) from error
    for held in manifest.files:
        path = PurePosixPath(held.file)
        if path.is_absolute() or ".." in path.parts or "\\" in held.file or "\0" in held.file:
            raise InputError("bundle-harmful", f"The bundle's list names a place outside it: {held.file!r}.", "Do not use it.")
    return manifest


def troubles(folder: Path, manifest: Manifest, moved: Callable[[int], None] = lambda _: None) -> list[str]:
    """Every file that is missing, changed, a link or not on the list; empty when all is as it was made."""
    listed = {held.file: held for held in manifest.files}
    found: list[str] = []
    for held in manifest.files:
        path = folder / held.file
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                found.append(f"{held.file}: is a link, not a file")
            elif path.stat().st_size != held.bytes or digest(path, moved=moved) != held.sha256:
                found.append(f"{held.file}: changed")
        except OSError as error:
            found.append(f"{held.file}: {'missing' if isinstance(error, FileNotFoundError) else error.strerror}")
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in listed and name not in (MANIFEST, SUMS, SIGNATURE):
            found.append(f"{name}: is not on the list")
        elif path.is_symlink() and name not in listed:
            found.append(f"{name}: is a link")
    sums = "".join(f"{held.sha256}  {held.file}\n" for held in manifest.files)
    if not (folder / SUMS).is_file() or (folder / SUMS).read_text(encoding="utf-8", errors="replace") != sums:
        found.append(f"{SUMS}: does not agree with {MANIFEST}")
    return found
