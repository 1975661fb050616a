"""The workshop stands alone: it is run where only its own requirements are installed, without the device's."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEVICE_ONLY = ("pydantic", "aiomqtt", "chromadb", "vosk", "sounddevice")


def test_workshop_imports_nothing_that_only_the_device_has():
    rooms = sorted(p.stem for p in (ROOT / "models/workshop").glob("*.py") if p.stem not in ("__init__", "__main__"))
    blocked = f"import sys; sys.modules.update(dict.fromkeys({DEVICE_ONLY!r}))\n"
    tried = (
        "import importlib\n"
        f"for room in {rooms!r}:\n"
        "    try:\n"
        "        importlib.import_module('models.workshop.' + room)\n"
        "    except ModuleNotFoundError as missing:\n"
        f"        assert missing.name.split('.')[0] not in {DEVICE_ONLY!r}, (room, missing.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", blocked + tried], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
