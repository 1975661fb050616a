"""`python -m services.speaker say TEXT --out FILE.wav`: the configured voice without the bus, for technicians and for tests of a voice."""

import argparse
import json
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from device import config as config_module
from device.config import Speaker
from device.errors import BesideError, InputError
from services.speaker.voice import Voice, speakable


def main(argv: list[str], open_voice: Callable[[Speaker], Voice]) -> NoReturn:
    """Writes the speech as a mono 16-bit WAV file and says how long it is and how long it took."""
    parser = argparse.ArgumentParser(prog="python -m services.speaker say", description="Speak a sentence into a WAV file.")
    parser.add_argument("text", help="one or a few sentences")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the WAV file to write")
    parser.add_argument("--config", type=Path, help="configuration file (default: $BESIDE_CONFIG or the installed one)")
    options = parser.parse_args(argv)
    try:
        voice = open_voice(config_module.load(options.config).speaker)
        began = time.monotonic()
        sound = voice.synthesise(speakable(options.text))
        took_ms = (time.monotonic() - began) * 1000
        try:
            with options.out.open("wb") as file, wave.open(file) as out:
                out.setparams((1, 2, sound.rate_hz, 0, "NONE", ""))
                out.writeframes(sound.pcm.tobytes())
        except OSError as error:
            raise InputError("wav-unwritable", f"{options.out} cannot be written ({error.strerror}).", "Choose another place.") from error
    except BesideError as trouble:
        print(f"say: {trouble.sentence} {trouble.remedy}".strip(), file=sys.stderr)
        sys.exit(trouble.exit_code)
    print(json.dumps({"voice": voice.name, "ms": sound.ms, "rate_hz": sound.rate_hz, "took_ms": round(took_ms, 1)}))
    sys.exit(0)
