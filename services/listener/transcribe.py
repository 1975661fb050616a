"""`python -m services.listener transcribe FILE... [--json]`: what the recogniser makes of recordings, for technicians."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from device import config as config_module
from device.audio import FRAME_SAMPLES, Pcm
from device.config import Config
from device.errors import BesideError
from device.microphone import to_16_khz
from device.wav import read_wav
from services.listener.ears import Reading, Recogniser


def transcribe(recogniser: Recogniser, pcm: Pcm) -> Reading:
    """One recording as one utterance, frame by frame as from a microphone."""
    recogniser.begin()
    for start in range(0, pcm.size, FRAME_SAMPLES):
        recogniser.feed(pcm[start : start + FRAME_SAMPLES])
    return recogniser.finish()


def main(argv: list[str], open_recogniser: Callable[[Config], Recogniser]) -> int:
    """Exit code 0 when every file was read; a file that cannot be used is named and the others still done."""
    parser = argparse.ArgumentParser(prog="beside transcribe", description="Print what Beside understands in recordings.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a WAV file")
    parser.add_argument("--config", type=Path, help="configuration file")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    code = 0
    try:
        recogniser = open_recogniser(config_module.load(options.config))
    except BesideError as trouble:
        print(trouble, file=sys.stderr)
        return trouble.exit_code
    for path in options.files:
        try:
            reading = transcribe(recogniser, to_16_khz(*read_wav(path)))
        except BesideError as trouble:
            print(trouble, file=sys.stderr)
            code = trouble.exit_code
            continue
        if options.json:
            print(
                json.dumps(
                    {
                        "file": str(path),
                        "engine": recogniser.name,
                        "text": reading.text,
                        "confidence": reading.confidence,
                        "alternatives": reading.alternatives,
                    }
                )
            )
        else:
            print(f"{path.name}: {reading.text or '(no words)'}" + ("" if reading.confidence is None else f"  [{reading.confidence:.2f}]"))
    return code
