"""install.sh as far as it can be seen without installing: its words, its refusals, its lock file."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from device.config import ROOT

SCRIPT = ROOT / "install.sh"


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SCRIPT), *args], capture_output=True, text=True, timeout=20, cwd="/")


def test_help_names_both_commands_and_what_beside_is_not() -> None:
    done = run("--help")
    assert done.returncode == 0
    for words in ("--try", "--test", "--setup", "not a medical device"):
        assert words in done.stdout


def test_unknown_option_is_refused_before_anything_is_done() -> None:
    done = run("--tests")
    assert done.returncode != 0
    assert "--tests" in done.stderr
    assert "usage" in done.stderr


@pytest.mark.parametrize("script", ["install.sh", ".ci/run"])
def test_script_is_executable_and_strict(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert "set -euo pipefail" in (ROOT / script).read_text()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_scripts_pass_shellcheck() -> None:
    done = subprocess.run(["shellcheck", SCRIPT, ROOT / ".ci" / "run"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_lock_pins_every_dependency_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.split(r"[<>=!;\[ ]", line, maxsplit=1)[0].lower() for line in wanted}
    pinned = {line.split("==")[0] for line in lock.splitlines() if re.match(r"[a-z]", line)}
    assert names <= pinned
    blocks = re.split(r"\n(?=[a-z])", lock.strip())
    assert all("--hash=sha256:" in block for block in blocks)


def test_lock_splits_into_the_built_package_and_the_rest(tmp_path: Path) -> None:
    source = SCRIPT.read_text()
    functions = "\n".join(line for line in source.splitlines() if line.startswith(("locked()", "llama_version()", "readonly LOCK")))
    script = f"{functions}\nlocked llama-cpp-python 1 | grep -c ==; locked llama-cpp-python 0 | grep -c llama; llama_version"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, cwd=ROOT)
    built, rest, version = done.stdout.split()
    assert (built, rest) == ("1", "0")
    assert re.fullmatch(r"[0-9.]+", version)
