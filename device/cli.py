"""`beside`: the one command line. Each word runs a room's own program as a process; nothing is imported but the floor.

The words that a caregiver needs stand first in the help; those for technicians follow.
"""

import asyncio
import difflib
import os
import signal
import sys
from collections.abc import Coroutine
from importlib import metadata
from pathlib import Path
from typing import Any

from device import config as config_module
from device.config import Config
from device.errors import BesideError, InputError, ProgramError

# word → (module run as a process, arguments put before the user's, one line of help)
ROOMS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "rehearse": ("device.rehearsal", (), "hold a conversation without microphone or loudspeaker, in real time"),
    "sessions": ("services.recorder", ("sessions",), "list, show, export or forget conversations"),
    "consent": ("services.recorder", ("consent",), "say yes or no to the camera and to keeping emotions"),
    "doctor": ("device.doctor", (), "check every part and say in plain words what is wrong"),
    "models": ("models", (), "list, fetch, verify and choose models; pack them on a USB stick"),
    "tap": ("device.tap", (), "show every event of a running Beside, live"),
    "think": ("services.thinker", ("think",), "ask the language model directly, without the bus"),
    "guard": ("services.guardian", ("judge",), "show how guardian judges sentences, and what it would say"),
    "transcribe": ("services.listener", ("transcribe",), "write down what a sound file says"),
}

HELP = """\
usage: beside WORD [options]        (beside WORD --help explains each word)

Beside is a companion by the bed. It is not a medical device, not therapy, not a nurse call.

  up                 start Beside here, in the foreground; Ctrl-C ends it
  try [--typed]      talk with it now; --typed: by keyboard
{rooms}
  --config FILE      use this configuration (any word; default: $BESIDE_CONFIG, /etc/beside/config.yaml or the project's own)
  --version          which Beside this is
"""


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit code is 0, or that of what went wrong (device/errors.py)."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _take_config(args)
        word = args.pop(0) if args else "--help"
        if word in ("-h", "--help", "help"):
            print(HELP.format(rooms="\n".join(f"  {name:<18} {line}" for name, (_, _, line) in ROOMS.items())), end="")
            return 0
        if word == "--version":
            print(f"beside {_version()}")
            return 0
        if word in ROOMS:
            module, before, _ = ROOMS[word]
            return _run_room(module, [*before, *args])
        if word == "up":
            return asyncio.run(_up(_no_more(word, args, set())))
        if word == "try":
            return _try(_no_more(word, args, {"--typed"}))
        near = difflib.get_close_matches(word, ["up", "try", *ROOMS], 1)
        hint = f" Did you mean: beside {near[0]}?" if near else f" Known words: up, try, {', '.join(ROOMS)}."
        print(f"beside: there is no word '{word}'.{hint}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except BesideError as trouble:
        print(f"beside: {trouble.sentence} {trouble.remedy}".rstrip(), file=sys.stderr)
        return trouble.exit_code
    except Exception as error:  # noqa: BLE001  # the last place where anything can be said about it
        from device.lifecycle import place_of

        print(f"beside: This is a fault in the program ({place_of(error)}). Run: beside doctor, and tell a technician.", file=sys.stderr)
        return ProgramError.exit_code
    return 2


def _take_config(args: list[str]) -> list[str]:
    """`--config FILE` may stand anywhere before a `--`; it reaches every process through the environment."""
    for i, arg in enumerate(args):
        if arg == "--":
            break
        if arg == "--config" or arg.startswith("--config="):
            named = args[i + 1 : i + 2] if arg == "--config" else [arg.removeprefix("--config=")]
            if not named or not named[0]:
                raise InputError("config-unnamed", "--config needs the name of a file.", "For example: beside up --config my.yaml")
            os.environ["BESIDE_CONFIG"] = str(Path(named[0]).absolute())
            return args[:i] + args[i + 1 + (arg == "--config") :]
    return args


def _version() -> str:
    try:
        return metadata.version("beside")
    except metadata.PackageNotFoundError:
        return "(not installed; run ./install.sh)"


def _no_more(word: str, args: list[str], known: set[str]) -> set[str]:
    if "-h" in args or "--help" in args:
        print(HELP.format(rooms="").split("\n\n")[0].replace("WORD", word, 1))
        print(_LONG[word])
        raise SystemExit(0)
    strange = [arg for arg in args if arg not in known]
    if strange:
        print(f"beside {word}: unknown option {strange[0]}. Try: beside {word} --help", file=sys.stderr)
        raise SystemExit(2)
    return set(args)


_LONG = {
    "up": "\nStarts the bus and every service in the foreground and says when each is ready. Ctrl-C ends them all. Logs: run/NAME.log",
    "try": (
        "\nWith a microphone and a loudspeaker: talk. --typed: by keyboard, for the deaf, the mute and developers; when standard input is"
        "\nno terminal, one utterance a line in and one reply a line out. Without sound devices: a rehearsal, as beside rehearse does it."
    ),
}


def _run_room(module: str, args: list[str]) -> int:
    """Become the room's program: same terminal, same exit code, and Ctrl-C goes straight to it."""
    sys.stdout.flush()  # what is still in our buffer would be lost
    os.execv(sys.executable, [sys.executable, "-m", module, *args])  # noqa: S606  # replaces this process, no shell


def load_config() -> tuple[Config, Path]:
    """The configuration in force and where it stands."""
    path = config_module.default_path()
    return config_module.load(path), path


async def _up(options: set[str]) -> int:
    from device.up import up

    config, path = load_config()
    return await _until_interrupted(up(config, path))


def _try(options: set[str]) -> int:
    config, path = load_config()
    if "--typed" in options:
        from device.up import typed

        return asyncio.run(_until_interrupted(typed(config, path)))
    if _has_sound(config):
        from device.trying import may_look, try_out

        looks = may_look(config)  # before the loop begins: inside it Ctrl-C could not interrupt the question
        return asyncio.run(_until_interrupted(try_out(config, path, looks)))
    print("No microphone or loudspeaker found here, so this is a rehearsal: a synthesised voice speaks to Beside, in real time.")
    return _run_room("device.rehearsal", ["--example"])


def _has_sound(config: Config) -> bool:
    """Whether what the configuration names for hearing and speaking can be there: a card needs the sound library to know one."""
    wanted = {"max_input_channels": config.listener.microphone, "max_output_channels": config.speaker.loudspeaker}
    cards = [channels for channels, source in wanted.items() if source.partition(":")[0] == "card"]
    if not cards:
        return True
    try:
        import sounddevice
    except (OSError, ImportError):
        return False
    try:
        devices = list(sounddevice.query_devices())
    except sounddevice.PortAudioError:
        return False
    return all(any(int(device[channels]) > 0 for device in devices) for channels in cards)


async def _until_interrupted(work: Coroutine[Any, Any, int]) -> int:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # HUP: the terminal was closed
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
