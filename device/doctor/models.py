"""Are the models whole? Asks the catalogue's own command, which knows every file's hash."""

import json
import subprocess
import sys
from pathlib import Path

from device.config import ROOT, Config
from device.doctor.finding import Finding

CODE, TITLE = "models", "Models"
TIMEOUT_S = 120.0
STARTER = ROOT / "models" / "starter" / "beside-starter.gguf"


def look(config: Config) -> Finding:
    wanted = STARTER if config.thinker.model == "starter" else Path(config.thinker.model)
    if wanted.suffix == ".gguf" and not wanted.is_file() and not (config.paths.models / wanted.name).is_file():
        sentence = f"The language model {wanted.name} is not there; Beside can hear and speak, but not think."
        return Finding(CODE, TITLE, "broken", sentence, "Run ./install.sh again, or choose another: beside models list --kind llm")
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "models", "verify", "--json"], capture_output=True, text=True, cwd=ROOT, timeout=TIMEOUT_S, check=False
        )
        return judge(json.loads(asked.stdout)["files"])
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return Finding(CODE, TITLE, "broken", "The models cannot be checked.", "Run ./install.sh again.")


def judge(files: list[dict[str, str]]) -> Finding:
    """What the catalogue's command found: one row a file, `trouble` empty where it is whole."""
    bad = [row for row in files if row["trouble"]]
    if bad:
        sentence = " ".join(f"{row['model']}: {row['trouble']}" for row in bad)
        return Finding(CODE, TITLE, "broken", sentence, f"Fetch it again: beside models fetch {bad[0]['model']}")
    if not files:
        return Finding(CODE, TITLE, "broken", "There are no models here.", "Run ./install.sh again.")
    return Finding(CODE, TITLE, "well", f"{len({row['model'] for row in files})} models are whole.")
