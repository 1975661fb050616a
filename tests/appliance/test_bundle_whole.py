"""A whole stick, made for real: what lies on it is enough for pip and apt without a network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from device.config import ROOT
from models import bundle, catalogue, debian, wheelhouse
from models.bundle import Plan

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(1200)]


def online() -> bool:
    return (
        subprocess.run([sys.executable, "-m", "pip", "index", "versions", "wheel"], capture_output=True, check=False, timeout=60).returncode
        == 0
    )


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 550 MB and one or two minutes; needs the network once, and what install.sh leaves behind."""
    if shutil.which("minisign") is None or shutil.which("objdump") is None or wheelhouse.cached_engine() is None or not online():
        pytest.skip("needs minisign, objdump, the engine that install.sh built, and a network")
    out = tmp_path_factory.mktemp("media") / "stick"
    shelf = ROOT / "models" / "fetched"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(out.parent / "config"))  # a key of its own, not this user's
        bundle.bundle(Plan(out, tuple(catalogue.load().needed), shelf), lambda _: None)
    return out


def test_stick_passes_its_own_check(stick: Path) -> None:
    assert bundle.check(stick, stick / "site.pub").troubles == []


def test_pip_finds_everything_on_the_stick_without_a_network(stick: Path) -> None:
    lock = stick.parent / "rest.lock"
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lock.write_text("".join(block for name, block in wheelhouse.blocks(text) if name != wheelhouse.ENGINE))
    asked = [
        "install",
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--require-hashes",
        "--no-index",
        "--find-links",
        str(stick / "wheels"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *asked, "--requirement", str(lock)],
        capture_output=True, text=True, check=False, timeout=600, env={**os.environ, "PIP_CONFIG_FILE": os.devnull},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_apt_finds_everything_on_the_stick_without_a_network(stick: Path, tmp_path: Path) -> None:
    """Simulated as on a machine on which nothing at all is installed."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "status").touch()
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{stick / 'debian'} ./\n")
    options = {
        "Dir::Etc::SourceList": tmp_path / "sources.list", "Dir::Etc::SourceParts": "/dev/null", "Dir::State::Lists": tmp_path / "lists",
        "Dir::State::status": tmp_path / "status", "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "", "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",
    }  # fmt: skip
    apt = ["apt-get", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
    subprocess.run([*apt, "-qq", "update"], check=True, timeout=120)
    done = subprocess.run(
        [*apt, "--simulate", "--no-install-recommends", "install", *debian.packages()],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nInst ") > 50
