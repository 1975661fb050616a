"""Everything real: processes, broker, engines. A conversation costs half a minute, so the tests of one talk share it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from device.config import ROOT
from tests import tiny_gguf
from tests.rehearsed import Done, Rehearse

LIMIT_S = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "appliance" in item.path.parts:
            item.add_marker(pytest.mark.appliance)
            item.add_marker(pytest.mark.timeout(LIMIT_S + 30))


@pytest.fixture(scope="session")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration whose journal and bus are this test run's own."""
    folder = tmp_path_factory.mktemp("beside")
    run = Path(os.path.realpath("/tmp")) / f"beside-test-{os.getpid()}"  # noqa: S108  # short: a socket's path has at most 107 bytes
    path = folder / "config.yaml"
    model = ROOT / "models" / "starter" / "beside-starter.gguf"
    if not model.is_file():  # before the first starter is trained: nonsense words, but every real step
        model = tiny_gguf.write(folder / "tiny.gguf")
    settings = {
        "paths": {"data": str(folder / "data"), "run": str(run), "models": str(ROOT / "models" / "fetched")},
        "thinker": {"model": str(model)},
    }
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    yield path
    shutil.rmtree(run, ignore_errors=True)


@pytest.fixture(scope="session")
def rehearse(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Rehearse:
    """`rehearse("--say", "hello", …)` holds a conversation in real time."""

    def run(*args: object, cwd: Path = ROOT) -> Done:
        out = tmp_path_factory.mktemp("rehearsal")
        command = [sys.executable, "-m", "device.rehearsal", *map(str, args), "--out", str(out), "--config", str(config_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, cwd=cwd, stdin=subprocess.DEVNULL)
        return Done(done.returncode, done.stdout, done.stderr, out)

    return run
