"""`beside think` with a real model and the companion's real policy."""

import json
import subprocess
import sys

import pytest

from device.config import ROOT, Config
from tests import tiny_gguf

pytestmark = pytest.mark.appliance


def think(tmp_path, *lines: dict[str, object], model: str = "") -> subprocess.CompletedProcess[str]:
    config, file = tmp_path / "config.yaml", tmp_path / "lines.jsonl"
    config.write_text(f"paths: {{data: {tmp_path / 'data'}, run: {tmp_path / 'run'}, models: {(ROOT / Config().paths.models)}}}\n")
    file.write_text("\n".join(json.dumps(line) for line in lines))
    model = model or str(tiny_gguf.write(tmp_path / "tiny.gguf"))
    command = [
        sys.executable,
        "-m",
        "services.thinker",
        "think",
        "--config",
        str(config),
        "--model",
        model,
        "--file",
        str(file),
        "--seed",
        "3",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, cwd=ROOT)


def test_each_line_is_answered_with_what_was_chosen_for_it(tmp_path):
    done = think(
        tmp_path,
        {"name": "Maria", "emotion": "sad", "memories": ["my sister kept bees"], "history": [], "user": "i miss my garden"},
        {"user": "i am lonely", "emotion": "lonely", "history": [["hello", "Hello, I am Beside."]]},
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["user"] for a in answers] == ["i miss my garden", "i am lonely"]
    assert all(a["reply"] and a["intent"] and a["first_token_ms"] > 0 and a["tokens_per_s"] > 0 for a in answers)
    assert answers[1]["emotion"] == "lonely"


def test_missing_model_is_a_sentence_and_an_exit_code(tmp_path):
    done = think(tmp_path, {"user": "hello"}, model=str(tmp_path / "nowhere.gguf"))
    assert done.returncode == 70
    assert "nowhere.gguf" in done.stderr
    assert "Traceback" not in done.stderr
