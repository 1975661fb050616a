"""Is the camera there, if one is wanted?"""

from pathlib import Path

from device.config import Config
from device.doctor.finding import Finding

CODE, TITLE = "camera", "Camera"


def look(config: Config) -> Finding:
    kind, _, where = config.watcher.camera.partition(":")
    if kind == "off":
        return Finding(CODE, TITLE, "well", "The camera is switched off in the configuration.")
    path = Path(where) if kind == "file" else Path(f"/dev/video{where or 0}")
    if not path.exists():
        return Finding(
            CODE, TITLE, "warning", f"The camera {path} is not there; Beside goes on without it.", "Plug it in, or set watcher.camera: off"
        )
    return Finding(CODE, TITLE, "well", "The camera is there. It is used only with the person's consent.")
