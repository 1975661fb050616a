"""A folder for a USB stick from which Beside is set up without a network, and the check of such a folder.

    install.sh       sets up from the stick          manifest.json, SHA256SUMS   every file with its sum
    beside/          the project's own source        manifest.json.minisig       signed with the site's key
    models/          as they lie on the shelf        site.pub                    that key's public half
    wheels/, engine/ Python packages, llama.cpp      debian/                     Debian packages, all they need

It is made under a name that ends in `.part` and renamed when it is whole.
"""

import datetime
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from device.config import ROOT
from device.errors import InputError
from models import debian, manifest, signature, wheelhouse
from models.catalogue import Model, ModelFile, place_of
from models.manifest import Manifest
from models.shelf import disk_trouble, inspect, need_space, sums_path

OTHER_BYTES = 600_000_000  # Debian and Python packages, the project, the engine; measured 420 MB
TEMPLATE = ROOT / "models" / "stick_install.sh"
LEFT_OUT = {".git", ".venv", "var", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "fetched"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes on the stick. `packages` False leaves Debian and Python packages out, for a machine that has them."""

    out: Path
    models: tuple[Model, ...]
    shelf: Path
    packages: bool = True


def bundle(plan: Plan, note: Callable[[str], None]) -> Manifest:
    """Make the folder; InputError or EngineError when a part of it cannot be had, and then nothing stays."""
    out = plan.out.absolute()
    if out.exists():
        raise InputError("bundle-exists", f"{out} is there already.", "Name a new folder.")
    files = [(model, file) for model in plan.models for file in model.files if not file.project]
    _must_be_whole(plan, note)
    part = out.with_name(f"{out.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        need_space(part, sum(_size(place_of(f, plan.shelf)) for _, f in files) + OTHER_BYTES * plan.packages)
        note("copying the project and the models ...")
        _copy_project(part / "beside")
        (part / "models").mkdir()
        for _, file in files:
            _copy_model(file, plan.shelf, part / "models")
        names = _copy_packages(part, note) if plan.packages else []
        made = _finish(part, plan, names, note)
        part.rename(out)
    except OSError as error:
        raise disk_trouble(error, f"The bundle {out.name}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return made


def _must_be_whole(plan: Plan, note: Callable[[str], None]) -> None:
    note("comparing the models with the catalogue ...")
    broken = [finding for model in plan.models for finding in inspect(model, plan.shelf) if finding.trouble]
    if broken:
        names = " ".join(dict.fromkeys(f.model for f in broken))
        raise InputError(
            "bundle-models-broken", f"{broken[0].model}: {broken[0].file}: {broken[0].trouble}.", f"First: beside models fetch {names}"
        )


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


def _copy_project(target: Path) -> None:
    """What git tracks or would track; where there is no git (a copy that came from a stick itself), everything but what was made here."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not LEFT_OUT & set(p.relative_to(ROOT).parts) and not p.name.endswith(".egg-info")]
    for path in paths:
        if path.is_file() and not path.is_symlink():
            goal = target / path.relative_to(ROOT)
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, goal)


def _copy_model(file: ModelFile, shelf: Path, target: Path) -> None:
    place = place_of(file, shelf)
    if place.is_dir():
        shutil.copytree(place, target / place.name)
        shutil.copyfile(sums_path(place), sums_path(target / place.name))
    else:
        shutil.copyfile(place, target / place.name)
        beside = place.with_name(f"{place.name}.sha256")  # the user's own word for a file whose sum nobody published
        if beside.is_file():
            shutil.copyfile(beside, target / beside.name)


def _copy_packages(part: Path, note: Callable[[str], None]) -> list[str]:
    note("loading the Python packages, and the engine for any machine with AVX2 ...")
    wheelhouse.gather(part / "wheels", part / "engine")
    note("loading the Debian packages and all they need ...")
    names = debian.packages()
    debian.download(part / "debian", names)
    return names


def _finish(part: Path, plan: Plan, names: list[str], note: Callable[[str], None]) -> Manifest:
    release, python = debian.release(), f"{sys.version_info.major}.{sys.version_info.minor}"
    if plan.packages:
        script = TEMPLATE.read_text(encoding="utf-8")
        for mark, value in (("@RELEASE@", release), ("@PYTHON@", python), ("@PACKAGES@", " ".join(names))):
            script = script.replace(mark, value)
        (part / "install.sh").write_text(script, encoding="utf-8")
    signature.site_key()
    shutil.copyfile(signature.key_folder() / "site.pub", part / "site.pub")
    note("writing and signing the list ...")
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = Manifest(
        beside=version("beside"), made=made, release=release, python=python, models=[m.name for m in plan.models], files=[]
    )  # fmt: skip
    whole = manifest.write(part, about)
    signature.sign(part, f"Beside {about.beside}, {made}")
    return whole


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of a stick found. `trusted`: the key is one that this machine or the user knew beforehand."""

    manifest: Manifest
    troubles: list[str]
    key: str
    trusted: bool
    signed: str  # the signature's comment


def check(folder: Path, key: Path | None) -> Checked:
    """Signature first, then every file. InputError when the list cannot be read or was not signed with the key."""
    read = manifest.read(folder)
    own = signature.key_folder() / "site.pub"
    public = key or (own if own.is_file() else folder / "site.pub")
    print_of_key = signature.fingerprint(public)
    signed = signature.verify(folder, public)
    return Checked(read, manifest.troubles(folder, read), print_of_key, public != folder / "site.pub", signed)
