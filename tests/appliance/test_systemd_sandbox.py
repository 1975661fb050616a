"""The engines where memory may not be both written and run, as the sandbox of the units has it, and the one that needs an exception.

The kernel's own switch for a process (Linux 6.3) forbids the same as MemoryDenyWriteExecute=, so no supervisor is needed here.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from device.config import ROOT
from tests import tiny_gguf

PR_SET_MDWE = 65
FETCHED = ROOT / "models" / "fetched"
LOCKED = f"""
import ctypes, sys
from pathlib import Path
if ctypes.CDLL(None).prctl({PR_SET_MDWE}, 1, 0, 0, 0) != 0:
    sys.exit(77)
"""
NO_SUCH_KERNEL = 77
ENGINES = {
    "silero": """
        import numpy as np
        from services.listener.silero import Silero
        assert 0.0 <= Silero(Path(sys.argv[1]) / "silero_vad.onnx").share(np.zeros(512, np.int16)) < 0.5
    """,
    "sphinx": """
        from services.listener.sphinx import Sphinx
        Sphinx(None)
    """,
    "face": """
        import numpy as np
        from services.watcher.faces import FaceReader
        assert FaceReader(Path(sys.argv[1]) / "emotion_model_quantized.tflite").read(np.zeros((480, 640, 3), np.uint8)) == (0, None)
    """,
    "index": """
        import numpy as np
        from services.thinker.index import Index
        index = Index(Path(sys.argv[2]) / "memory_index")
        index.add(["a"], np.ones((1, 384), np.float32))
        assert index.nearest(np.ones(384, np.float32), 1)[0][0] == "a"
    """,
    "llama": """
        import threading
        from services.thinker.llama import Llama
        mind = Llama(Path(sys.argv[2]) / "tiny.gguf", context_tokens=512, threads=1)
        mind.probe()
    """,
}


def run(program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The program in a process of its own, without the right to write what it runs."""
    source = LOCKED + textwrap.dedent(program)
    environment = dict(os.environ) | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", source, str(FETCHED), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=100, check=False)
    if done.returncode == NO_SUCH_KERNEL:
        pytest.skip("this kernel has no switch against memory that is written and run (Linux 6.3 has)")
    return done


@pytest.mark.parametrize("engine", ENGINES)
def test_engine_works_without_memory_that_is_written_and_run(engine: str, tmp_path: Path) -> None:
    if engine in ("silero", "face") and not FETCHED.is_dir():
        pytest.skip("the models are not here: beside models fetch --embedded")
    if engine == "llama":
        tiny_gguf.write(tmp_path / "tiny.gguf")
    done = run(ENGINES[engine], tmp_path)
    assert done.returncode == 0, done.stderr


def test_sound_card_is_the_one_exception(tmp_path: Path) -> None:
    """If this fails, cffi has learnt it: take the exception out of the drop-ins of the listener and the speaker."""
    done = run("import sounddevice\nsounddevice._ffi.callback('PaStreamCallback', lambda *arguments: 0)", tmp_path)
    if "PortAudio library not found" in done.stderr:
        pytest.skip("PortAudio is not installed")
    assert "MemoryError" in done.stderr
