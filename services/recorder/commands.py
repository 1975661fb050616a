"""`beside sessions` and `beside consent`: what can be asked, and the help that teaches it."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from device import config as config_module
from device.config import Config
from device.errors import BesideError
from services.recorder import changing, reading


def main(argv: list[str]) -> int:
    """Parse, act, print; the exit code is 0 or that of what went wrong."""
    options = _parser().parse_args(argv)
    try:
        config = config_module.load(options.config)
        act: Callable[[Config, argparse.Namespace], int] = options.act
        return act(config, options)
    except BesideError as trouble:
        if getattr(options, "json", False):
            print(json.dumps({"error": trouble.code, "sentence": trouble.sentence, "remedy": trouble.remedy}))
        print(f"{trouble.sentence} {trouble.remedy}".rstrip(), file=sys.stderr)
        return trouble.exit_code
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON, for programs")
    common.add_argument("--config", type=Path, help="use this configuration file")
    whole = argparse.ArgumentParser(prog="beside", description="The record of the conversations, and what the person agreed to.")
    words = whole.add_subparsers(required=True, metavar="WORD")

    sessions = words.add_parser("sessions", help="list, show, export or forget conversations", description=(
        "Each conversation is a session with an id. `list` shows them, `show` prints one as its log, `export` copies logs to a folder, "
        "and `forget` erases for real: rows, logs, exports, memories and their traces on the disk, with a search afterwards that proves it."
    )).add_subparsers(required=True, metavar="WHAT")  # fmt: skip
    listing = sessions.add_parser("list", parents=[common], help="all conversations, oldest first")
    listing.set_defaults(act=reading.list_sessions)
    show = sessions.add_parser("show", parents=[common], help="one conversation: who said what, and what was really heard")
    show.add_argument("session", metavar="ID", help="from `beside sessions list`; the first letters are enough; `last` is the newest")
    show.set_defaults(act=reading.show)
    export = sessions.add_parser("export", parents=[common], help="copy logs into a folder")
    _which(export, "export")
    export.add_argument(
        "--out", type=Path, metavar="DIR", help="folder (default: exports in Beside's data folder, where forget finds them)"
    )
    export.set_defaults(act=reading.export)
    forget = sessions.add_parser("forget", parents=[common], help="erase for real, and prove it", description=(
        "Erases a conversation, its memories, logs and exports, or everything with --all. It cannot be undone. Of an alarm it "
        "stays on record that there was one, when and of what kind. Files you exported to another folder are yours to delete."
    ))  # fmt: skip
    _which(forget, "forget")
    forget.add_argument("--yes", action="store_true", help="do not ask")
    forget.set_defaults(act=changing.forget)

    consent = words.add_parser("consent", parents=[common], help="say yes or no to the camera and to keeping emotions", description=(
        "camera: Beside may look at the face to guess the mood; pictures never leave the process and are never stored. keep-emotions: the "
        "mood labels stay in the record after the conversation. Both are off until someone says yes. Without words: shows what is in force."
    ))  # fmt: skip
    consent.add_argument("what", nargs="?", choices=("camera", "keep-emotions"))
    consent.add_argument("answer", nargs="?", choices=("yes", "no"))
    consent.add_argument("--by", default="command line", metavar="NAME", help="who decided this; stands in the record")
    consent.set_defaults(act=changing.consent)
    return whole


def _which(parser: argparse.ArgumentParser, word: str) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("session", nargs="?", metavar="ID", help="the session, as `beside sessions list` shows it")
    which.add_argument("--all", action="store_true", help=f"{word} everything")
