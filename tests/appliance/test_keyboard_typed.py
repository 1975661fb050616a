"""`beside try --typed` between programs: one line in, one line out, and the conversation is sealed."""

import subprocess
import sys
from pathlib import Path

from device.config import ROOT, load


def test_typed_conversation_gets_a_line_for_a_line_and_is_sealed(config_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "device.cli", "try", "--typed", "--config", str(config_file)],
        input="Hello.\nI did not sleep well last night.\nI miss my garden.\n",
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stdout
    assert all(line.strip() and "did not answer" not in line for line in lines), done.stdout
    assert "Traceback" not in done.stderr
    logs = list(load(config_file).paths.data.rglob("*.md"))
    assert len(logs) == 1
    assert "garden" in logs[0].read_text(encoding="utf-8")
