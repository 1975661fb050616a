"""What systemd's own tools say about the units, on a made-up root folder in which the program is a stub."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from device.config import ROOT

UNITS = ROOT / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("beside-*.service"))
TENTHS = dict.fromkeys(SERVICES, 5) | {"beside-bus.service": 10}
DISTRIBUTION = ("sysinit", "basic", "shutdown", "multi-user", "timers", "sockets", "paths", "time-set", "time-sync")  # bare, to be found

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine with our units and an empty program."""
    root = tmp_path_factory.mktemp("root")
    units = root / "usr/lib/systemd/system"
    shutil.copytree(UNITS, units)
    for name in DISTRIBUTION:
        (units / f"{name}.target").write_text("[Unit]\n")
    python = root / "opt/beside/current/.venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return root


def analyze(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    verb, *rest = args
    command = ["systemd-analyze", verb, f"--root={root}", "--no-pager", *rest]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def verify(root: Path) -> subprocess.CompletedProcess[str]:
    here = root / "usr/lib/systemd/system"
    units = [*SERVICES, "beside.target", "beside-again@thinker.timer"]
    return analyze(root, "verify", "--man=no", "--recursive-errors=yes", *(str(here / unit) for unit in units))


def test_units_are_valid(root: Path) -> None:
    done = verify(root)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_mistake_in_a_drop_in_is_found(root: Path, tmp_path: Path) -> None:
    """Else the test above would prove nothing about the sandbox."""
    wrong = tmp_path / "root"
    shutil.copytree(root, wrong)
    with (wrong / "usr/lib/systemd/system/beside-.service.d/10-sandbox.conf").open("a") as sandbox:
        sandbox.write("PrivateNetwrok=yes\n")
    assert "PrivateNetwrok" in verify(wrong).stderr


@pytest.mark.parametrize("unit", SERVICES)
def test_exposure_is_low(root: Path, unit: str) -> None:
    done = analyze(root, "security", "--offline=true", f"--threshold={TENTHS[unit]}", unit)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_exposure_would_be_high_without_the_sandbox(root: Path, tmp_path: Path) -> None:
    bare = tmp_path / "root"
    shutil.copytree(root, bare)
    shutil.rmtree(bare / "usr/lib/systemd/system/beside-.service.d")
    assert analyze(bare, "security", "--offline=true", "--threshold=5", "beside-guardian.service").returncode != 0


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_users_are_made_and_own_their_folders(root: Path) -> None:
    (root / "etc/beside").mkdir(parents=True)
    (root / "etc/beside/config.yaml").write_text("person: {}\n")
    units = root / "usr/lib/systemd/system"
    made = subprocess.run(["systemd-sysusers", f"--root={root}", str(units / "sysusers.conf")], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    users = {line.split(":")[0]: int(line.split(":")[2]) for line in (root / "etc/passwd").read_text().splitlines()}
    assert {f"beside-{path.stem.removeprefix('beside-')}" for path in UNITS.glob("beside-*.service")} - {"beside-accounts"} <= set(users)
    if os.geteuid() != 0:
        pytest.skip("only root can give folders away")
    tidied = subprocess.run(
        ["systemd-tmpfiles", f"--root={root}", "--create", str(units / "tmpfiles.conf")], capture_output=True, text=True, timeout=60
    )
    assert (tidied.returncode, tidied.stderr) == (0, "")
    run = (root / "run/beside").stat()
    assert (run.st_uid, stat.S_IMODE(run.st_mode)) == (users["beside-bus"], 0o750)
    assert stat.S_IMODE((root / "etc/beside/config.yaml").stat().st_mode) == 0o640
