"""Are the models whole? Asks the catalogue's own command, which knows every file's hash."""

import json
import subprocess
import sys

from device.config import ROOT, Config
from device.doctor.finding import Finding

CODE, TITLE = "models", "Models"
TIMEOUT_S = 120.0


def look(config: Config) -> Finding:
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "models", "verify", "--json"], capture_output=True, text=True, cwd=ROOT, timeout=TIMEOUT_S, check=False
        )
        rows = json.loads(asked.stdout)
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError):
        return Finding(CODE, TITLE, "broken", "The models cannot be checked.", "Run ./install.sh again.")
    bad = [row for row in rows if row.get("state") not in ("ok", "absent")]
    if bad:
        names = ", ".join(str(row.get("name")) for row in bad)
        return Finding(CODE, TITLE, "broken", f"These models are damaged: {names}.", "Fetch them again: beside models fetch NAME")
    return Finding(CODE, TITLE, "well", f"{sum(row.get('state') == 'ok' for row in rows)} models are whole.")
