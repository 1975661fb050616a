"""Bring models onto the shelf: from packages, from the makers' own addresses, or from a folder such as a stick.

Every file is loaded beside its place, proven against the catalogue, looked at (is it what its name says?) and only then
moved in. What is there already and whole is left alone.
"""

import shutil
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from device.errors import BesideError, InputError
from models import archive, looks, shelf, wheels
from models.catalogue import Model, ModelFile
from models.download import USUAL, Patience, download
from models.progress import Progress


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to bring and how."""

    models: tuple[Model, ...]
    folder: Path
    source: Path | None = None  # a stick or folder instead of the network
    sha256: str | None = None  # the user's word for the one file whose hash nobody published
    again: bool = False  # even what is there and whole
    patience: Patience = USUAL


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file; `trouble` None: it is here and whole."""

    model: str
    file: str
    was_here: bool = False
    trouble: BesideError | None = None


def fetch(wanted: Wanted, progress: Progress) -> list[Outcome]:
    """Bring every file; one file's trouble does not keep the others away. InputError only for what concerns all."""
    try:
        wanted.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise shelf.disk_trouble(error, f"The folder {wanted.folder}") from error
    with shelf.alone(wanted.folder):
        shelf.recover(wanted.folder)
        jobs = [(model, file) for model in wanted.models for file in _with_hash(model, wanted.sha256)]
        missing = [(m, f) for m, f in jobs if wanted.again or not _is_whole(m, f, wanted.folder)]
        shelf.need_space(wanted.folder, sum(_space(f) for _, f in missing))
        with _Carrier(wanted, progress) as carrier:
            return [
                carrier.bring(model, file) if (model, file) in missing else Outcome(model.name, file.placed, was_here=True)
                for model, file in jobs
            ]


def _with_hash(model: Model, sha256: str | None) -> list[ModelFile]:
    """The model's files; the user's hash goes to the one that has none, and never replaces a published one."""
    bare = [f for f in model.files if not (f.sha256 or f.md5 or f.project)]
    if sha256 and len(bare) != 1:
        raise InputError("hash-not-wanted", f"The checksums of '{model.name}' are known.", "Leave --sha256 out.")
    return [f.model_copy(update={"sha256": sha256}) if f in bare and sha256 else f for f in model.files]


def _is_whole(model: Model, file: ModelFile, folder: Path) -> bool:
    return not any(f.trouble for f in shelf.inspect(model.model_copy(update={"files": [file]}), folder))


def _space(file: ModelFile) -> int:
    return 0 if file.project else (file.bytes or 0) * (3 if file.unpack else 1)


class _Carrier:
    """Carries file after file; a package that holds several is downloaded once."""

    def __init__(self, wanted: Wanted, progress: Progress) -> None:
        self._wanted, self._progress = wanted, progress
        self._opened: dict[tuple[str, str], zipfile.ZipFile | BesideError] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "_Carrier":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def bring(self, model: Model, file: ModelFile) -> Outcome:
        """Load, prove, look, take."""
        fresh = self._wanted.folder / f".{file.file}.part"
        try:
            if file.project:
                raise InputError(
                    "model-not-shipped", f"{file.project} is missing or not whole in this copy of Beside.", "Build it: make starter"
                )
            if not (file.sha256 or file.md5):
                raise InputError("model-unproven", f"No checksum of {file.file} is known, so it is not fetched.", "Name it: --sha256 HEX")
            if not self._take_unpacked(model, file):
                self._load(file, fresh)
                self._look_or_drop(fresh, file, model)
                _take(file, fresh, self._wanted.folder)
            if file not in model.files:  # the hash is the user's: keep it, so that `verify` has something to compare with
                place = self._wanted.folder / file.placed
                place.with_name(f"{place.name}.sha256").write_text(f"{file.sha256}  {file.file}\n", encoding="ascii")
        except BesideError as trouble:
            return Outcome(model.name, file.placed, trouble=trouble)
        except OSError as error:
            return Outcome(model.name, file.placed, trouble=shelf.disk_trouble(error, file.file))
        return Outcome(model.name, file.placed)

    def _load(self, file: ModelFile, fresh: Path) -> None:
        """The bytes, proven, at `fresh`: from the stick, else from the package, else from the address."""
        if self._wanted.source is not None:
            self._copy(self._wanted.source, file, fresh)
        elif file.wheel and file.version:
            package = self._package(file.wheel, file.version)
            if isinstance(package, BesideError):
                if not file.url:
                    raise package
                self._download(file, fresh)
            else:
                self._progress.begin(file.file, file.bytes)
                wheels.take_member(package, file, fresh, self._progress.moved)
                _prove_or_drop(fresh, file)
        else:
            self._download(file, fresh)

    def _take_unpacked(self, model: Model, file: ModelFile) -> bool:
        """A stick holds an archive's folder and its sums, not the archive; every file is compared before it is taken."""
        source = self._wanted.source
        there = source / "models" / file.placed if source else None
        if not file.unpack or there is None or not there.is_dir():
            return False
        alone = model.model_copy(update={"files": [file]})
        for finding in shelf.inspect(alone, there.parent):
            if finding.trouble:
                raise InputError("model-broken", f"On the stick, {file.placed}: {finding.trouble}.", "Make a new bundle.")
        fresh = self._wanted.folder / f".{file.placed}.part"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(there, fresh)
        shelf.settle(fresh, self._wanted.folder / file.placed)
        shutil.copyfile(shelf.sums_path(there), shelf.sums_path(self._wanted.folder / file.placed))
        return True

    def _copy(self, source: Path, file: ModelFile, fresh: Path) -> None:
        found = next((p for p in (source / file.file, source / "models" / file.file) if p.is_file()), None)
        if found is None:
            raise InputError("model-not-on-stick", f"{file.file} is not in {source}.", "Make a new bundle with it, or use the network.")
        self._progress.begin(file.file, found.stat().st_size)
        shutil.copyfile(found, fresh)
        self._progress.moved(found.stat().st_size)
        _prove_or_drop(fresh, file)

    def _package(self, wheel: str, version: str) -> zipfile.ZipFile | BesideError:
        key = (wheel, version)
        if key not in self._opened:
            self._progress.note(f"package {wheel} {version}")
            try:
                self._opened[key] = self._stack.enter_context(wheels.downloaded(wheel, version))
            except BesideError as trouble:
                self._opened[key] = trouble
        return self._opened[key]

    def _download(self, file: ModelFile, fresh: Path) -> None:
        """A part of an earlier day may be of another file: when the whole is wrong, once more from the beginning."""
        resumed = download(file, fresh, self._wanted.patience, self._progress)
        try:
            _prove_or_drop(fresh, file)
        except InputError:
            if not resumed:
                raise
            self._progress.note(f"{file.file}: what was here of it was of another file; once more from the beginning")
            download(file, fresh, self._wanted.patience, self._progress)
            _prove_or_drop(fresh, file)

    def _look_or_drop(self, fresh: Path, file: ModelFile, model: Model) -> None:
        try:
            looks.look(fresh, file, model)
        except InputError:
            fresh.unlink(missing_ok=True)
            raise


def _prove_or_drop(fresh: Path, file: ModelFile) -> None:
    try:
        shelf.prove(fresh, file)
    except InputError:
        fresh.unlink(missing_ok=True)
        raise


def _take(file: ModelFile, fresh: Path, folder: Path) -> None:
    target = folder / file.placed
    if not file.unpack:
        shelf.settle(fresh, target)
        return
    try:
        with archive.unpacked(fresh, folder) as (unpacked, sums):
            shelf.settle(unpacked, target)
            shelf.write_sums(file.sha256 or file.md5 or "", sums, target)
    finally:
        fresh.unlink(missing_ok=True)
