"""The engine that travels: no instruction that a machine with AVX2 alone does not have."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from device.errors import EngineError
from models import wheelhouse

pytestmark = [pytest.mark.appliance, pytest.mark.timeout(1200)]


def wheel_of(tmp_path: Path, flags: str) -> Path:
    """A package with one library, compiled with these flags from a loop that a compiler likes to make wide."""
    source = tmp_path / "sum.c"
    source.write_text("void add(float *a, const float *b, int n) { for (int i = 0; i < n; i++) a[i] += b[i]; }\n")
    library = tmp_path / "libsum.so"
    subprocess.run(["gcc", "-O3", "-shared", "-fPIC", *flags.split(), "-o", str(library), str(source)], check=True, timeout=60)
    wheel = tmp_path / "engine.whl"
    with zipfile.ZipFile(wheel, "w") as out:
        out.write(library, "llama_cpp/lib/libsum.so")
    return wheel


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler here")
@pytest.mark.parametrize(
    ("flags", "portable"), [("-mavx2 -mfma", True), ("-mavx512f -mprefer-vector-width=512", False), ("-mavx512vl -mavx512f", False)]
)
def test_foreign_instructions_are_found_when_there_are_any(tmp_path: Path, flags: str, portable: bool) -> None:
    assert (wheelhouse.foreign_instructions(wheel_of(tmp_path, flags)) == 0) is portable


def test_the_engine_that_install_sh_built_has_no_avx512_instruction() -> None:
    """The very package that a bundle carries; without AVX-512 it runs on every machine that Beside is made for."""
    wheel = wheelhouse.cached_engine()
    if wheel is None:
        pytest.skip("install.sh has not built the engine on this machine")
    assert wheelhouse.foreign_instructions(wheel) == 0


def test_foreign_instructions_asks_for_the_disassembler_when_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match="binutils"):
        wheelhouse.foreign_instructions(tmp_path / "any.whl")
