"""`beside rehearse`: arguments, clips, stage; then the conversation."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from device import config as config_module
from device.camera import open_camera
from device.errors import BesideError
from device.rehearsal.conversation import hold
from device.rehearsal.person import FLITE_VOICES, Clip, recording, say, voice_for
from device.rehearsal.stage import Choices, set_up
from device.rehearsal.telling import Telling

EXAMPLE = (
    "Good evening.",
    "I did not sleep well last night.",
    "I am worried about the operation tomorrow.",
    "I miss my garden.",
    "My daughter is coming tomorrow. I am so happy.",
    "It helps to talk with you. Goodbye.",
)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="beside rehearse",
        description="A conversation in real time without hardware: each clip is one utterance, spoken when the answer before it has ended.",
    )
    who = made.add_mutually_exclusive_group(required=True)
    who.add_argument("--say", nargs="+", metavar="TEXT", help="the person's words, spoken by a voice that is not Beside's")
    who.add_argument("--audio", nargs="+", type=Path, metavar="FILE", help="the person's recordings")
    who.add_argument("--example", action="store_true", help="a short example conversation")
    made.add_argument("--camera", type=Path, metavar="PICTURE|VIDEO", help="what the camera sees")
    made.add_argument("--out", type=Path, metavar="DIR", help="where the results go (default: a new folder beside the journal)")
    made.add_argument("--stt", choices=("vosk", "pocketsphinx"), help="the recogniser (default: as configured)")
    made.add_argument("--tts", choices=("piper", "flite"), help="Beside's voice (default: as configured)")
    made.add_argument("--voice", metavar="NAME", help=f"the person's voice for --say: {', '.join((*FLITE_VOICES, 'espeak-ng'))}")
    made.add_argument("--no-echo", dest="echo", action="store_false", help="what the loudspeaker plays does not come back")
    made.add_argument("--config", type=Path, metavar="FILE", help="the configuration to start from")
    made.add_argument("--json", action="store_true", help="one JSON object a turn on standard output")
    return made


def clips_of(options: argparse.Namespace, device_voice: str) -> list[Clip]:
    if options.audio:
        return [recording(path) for path in options.audio]
    voice = voice_for(options.voice, device_voice)
    return [say(text, voice) for text in options.say or EXAMPLE]


async def rehearse(options: argparse.Namespace) -> int:
    if options.camera:  # read as the watcher will read it: a wrong file is told now, not after the house has started
        await open_camera(f"file:{options.camera}").close()
    base = config_module.load(options.config)
    clips = clips_of(options, base.speaker.flite_voice if (options.tts or base.speaker.tts) == "flite" else "")
    stage = set_up(base, options.out, Choices(options.camera, options.stt, options.tts))
    work = asyncio.ensure_future(hold(stage, clips, Telling(options.json), options.echo, options.camera is not None))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        print("Stopped; what was said so far is written.", file=sys.stderr)
        return 130


def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    try:
        return asyncio.run(rehearse(options))
    except BesideError as trouble:
        print(f"beside rehearse: {trouble.sentence} {trouble.remedy}".rstrip(), file=sys.stderr)
        return trouble.exit_code


if __name__ == "__main__":
    sys.exit(main())
