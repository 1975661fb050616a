"""Python packages for a machine without network: every locked one, and llama.cpp's engine built for any machine with AVX2.

A default build of llama.cpp uses whatever the builder's processor can do and ends with an illegal instruction elsewhere, so the
engine is taken from where install.sh keeps what it built (or built here in the same way), and disassembled before it travels.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from device.config import ROOT
from device.errors import EngineError

LOCK = ROOT / "requirements.lock"
ENGINE = "llama-cpp-python"
BUILD_FLAGS = "-DGGML_NATIVE=OFF -DGGML_AVX512=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON"
BUILD_TOOLS = ("setuptools>=77", "wheel")  # packages that come as source are built on the machine
LONGEST_S = 3600
# AVX-512 shows in its registers: zmm, the upper half of xmm and ymm, and the masks k0 to k7.
_AVX512 = re.compile(rb"%(?:zmm\d|[xy]mm(?:1[6-9]|2\d|3[01])|k[0-7])\b")


def gather(folder: Path, engine_folder: Path) -> None:
    """The locked packages into `folder`, the engine into `engine_folder`. EngineError when one cannot be had."""
    folder.mkdir(parents=True)
    engine_folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="beside-lock-") as work:
        rest = Path(work) / "rest.lock"
        rest.write_text("".join(text for name, text in blocks(LOCK.read_text(encoding="utf-8")) if name != ENGINE), encoding="utf-8")
        _pip("download", "--require-hashes", "--dest", str(folder), "--requirement", str(rest))
    _pip("download", "--no-deps", "--dest", str(folder), *BUILD_TOOLS)
    wheel = cached_engine() or build_engine()
    foreign = foreign_instructions(wheel)
    if foreign:
        raise EngineError(
            "engine-not-portable", f"{wheel.name} holds {foreign} AVX-512 instructions and would crash on most machines.",
            "Delete it and run ./install.sh again.",
        )  # fmt: skip
    shutil.copyfile(wheel, engine_folder / wheel.name)


def blocks(lock: str) -> list[tuple[str, str]]:
    """The lock file's entries: name and text with its hashes."""
    parts = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    return [(part.partition("==")[0].strip(), part) for part in parts if "==" in part]


def engine_version() -> str:
    text = dict(blocks(LOCK.read_text(encoding="utf-8")))[ENGINE]
    return text.partition("==")[2].split()[0]


def cache_folder() -> Path:
    """Where install.sh keeps the engine that it built for AVX2."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "beside" / "wheels" / "avx2"


def cached_engine() -> Path | None:
    return next(iter(sorted(cache_folder().glob(f"llama_cpp_python-{engine_version()}-*.whl"))), None)


def build_engine() -> Path:
    """Several minutes; the result stays in the cache."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="beside-lock-") as work:
        lock = Path(work) / "engine.lock"
        lock.write_text(dict(blocks(LOCK.read_text(encoding="utf-8")))[ENGINE], encoding="utf-8")
        args = ("wheel", "--no-deps", "--require-hashes", "--no-binary", ENGINE, "--wheel-dir", str(folder), "--requirement", str(lock))
        _pip(*args, environment={"CMAKE_ARGS": BUILD_FLAGS, "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1)})
    built = cached_engine()
    if built is None:
        raise EngineError("engine-not-built", "The language model's engine was built, but is not where it should be.", "Run ./install.sh.")
    return built


def foreign_instructions(wheel: Path) -> int:
    """How many instructions in the package's libraries only a machine with AVX-512 has. EngineError without a disassembler."""
    if shutil.which("objdump") is None:
        raise EngineError("objdump-missing", "The engine cannot be checked for foreign instructions.", "sudo apt-get install binutils")
    count = 0
    with tempfile.TemporaryDirectory(prefix="beside-engine-") as work, zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                library = Path(archive.extract(name, work))
                with subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", str(library)], stdout=subprocess.PIPE) as running:
                    assert running.stdout is not None
                    count += sum(1 for line in running.stdout if _AVX512.search(line))
                if running.returncode != 0:
                    raise EngineError("engine-unreadable", f"{name} cannot be disassembled.", "Delete the package and build it again.")
    return count


def _pip(*args: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *args, "--quiet", "--disable-pip-version-check"],
        capture_output=True, text=True, timeout=LONGEST_S, check=False, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    if done.returncode != 0:
        why = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")] or ["ERROR: pip did not say why"]
        raise EngineError("packages-unreachable", f"The Python packages could not be had: {why[-1][7:]}", "Check the network.")
