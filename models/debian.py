"""Debian packages for a machine without network: ours and everything they need, as a small repository that apt can read.

apt itself computes the closure as if nothing were installed, so the stick suits a bare machine of the same release, and apt
on that machine takes from it only what it lacks.
"""

import subprocess
import tempfile
from pathlib import Path

from device.errors import EngineError
from models.shelf import digest

# What install.sh asks for (a test compares), and minisign to check the stick with.
ALWAYS = ("mosquitto", "flite", "espeak-ng", "sox", "python3-venv", "libgl1", "libgomp1", "minisign")
EITHER = (("libportaudio2", "libportaudio2t64"), ("libglib2.0-0", "libglib2.0-0t64"))  # older and newer releases' names
LONGEST_S = 3600


def release() -> str:
    """Such as "debian 12"."""
    known: dict[str, str] = {}
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        known[key] = value.strip('"')
    return f"{known.get('ID', 'unknown')} {known.get('VERSION_ID', '')}".strip()


def packages() -> list[str]:
    """The names that this release knows them by."""
    return [*ALWAYS, *(new if _candidate(new) else old for old, new in EITHER)]


def _candidate(name: str) -> bool:
    shown = subprocess.run(["apt-cache", "policy", name], capture_output=True, text=True, check=False, timeout=LONGEST_S).stdout
    return "Candidate:" in shown and "Candidate: (none)" not in shown


def download(folder: Path, names: list[str]) -> int:
    """Put the closure of `names` into `folder` with its index; how many packages that were. EngineError when apt cannot."""
    (folder / "partial").mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="beside-apt-") as work:
        nothing_installed = Path(work) / "status"
        nothing_installed.touch()
        done = subprocess.run(
            [
                "apt-get", "-o", f"Dir::State::status={nothing_installed}", "-o", f"Dir::Cache::archives={folder.absolute()}",
                "-o", f"Dir::Cache::pkgcache={work}/pkgcache.bin", "-o", f"Dir::Cache::srcpkgcache={work}/srcpkgcache.bin",
                "-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1", "-o", "APT::Get::List-Cleanup=0",
                "--download-only", "--yes", "--no-install-recommends", "install", *names,
            ],
            capture_output=True, text=True, timeout=LONGEST_S, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        why = [line for line in done.stderr.splitlines() if line.startswith("E: ")] or ["E: apt did not say why"]
        raise EngineError(
            "apt-failed", f"The Debian packages could not be loaded: {why[0][3:]}", "Check the network, then: sudo apt-get update"
        )
    (folder / "partial").rmdir()
    (folder / "lock").unlink(missing_ok=True)
    debs = sorted(folder.glob("*.deb"))
    (folder / "Packages").write_text("\n".join(_entry(deb) for deb in debs), encoding="utf-8")
    return len(debs)


def _entry(deb: Path) -> str:
    """The package's own description and where it lies: one paragraph of a repository's index."""
    control = subprocess.run(["dpkg-deb", "--field", str(deb)], capture_output=True, text=True, check=True, timeout=LONGEST_S).stdout
    return f"{control.rstrip()}\nFilename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest(deb)}\n"
