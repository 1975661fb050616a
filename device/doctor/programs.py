"""Are the Debian programs there that Beside runs as processes, and the voice that the configuration names?"""

import shutil
from pathlib import Path

from device import broker
from device.config import Config
from device.doctor.finding import Finding

CODE, TITLE = "programs", "Programs and voice"


def look(config: Config) -> Finding:
    needed = ["mosquitto_passwd"] + ["flite"] * (config.speaker.tts == "flite")
    missing = ["mosquitto"] * (broker.program() is None) + [name for name in needed if shutil.which(name) is None]
    if missing:
        return Finding(CODE, TITLE, "broken", f"Not installed: {', '.join(missing)}.", "Run ./install.sh again.")
    if config.speaker.tts == "piper":
        voice = config.speaker.piper_voice
        if voice is None or not voice.is_file() or not Path(f"{voice}.json").is_file():
            return Finding(
                CODE, TITLE, "broken", "The Piper voice is not there; it is two files.", "Choose one: beside models list --kind tts"
            )
    return Finding(CODE, TITLE, "well", f"The broker and the voice ({config.speaker.tts}) are installed.")
