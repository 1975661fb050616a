"""The companion as a process: `python -m services.companion`, and `… choose`: the dialogue policy on lines of JSON."""

import asyncio
import json
import sys
from typing import Any, get_args

from device import config as config_module
from device import lifecycle
from device.config import Config
from device.embedding import Embedder
from device.errors import BesideError, InputError
from device.events import Exchange, FaceLabel, Intent
from device.lifecycle import Life
from services.companion.diary import Diary
from services.companion.library import load_feelings, load_lines
from services.companion.policy.feeling import Feelings
from services.companion.policy.intent import choose
from services.companion.service import converse


def _open(config: Config) -> tuple[Feelings, Embedder]:
    embedder = Embedder(config.paths.models)
    return load_feelings(), embedder


async def wire(life: Life) -> None:
    config = life.config
    feelings, embedder = await asyncio.to_thread(_open, config)
    lines = load_lines(config.guardian.language)
    async with life.bus(converse, durable=True) as bus:  # words said while it is being started again are answered still
        await life.ready(bus)
        await converse(bus, feelings, embedder.embed, lines, Diary(config.state("companion") / "companion.json"), config, life)


def choose_command() -> None:
    """JSON lines `{"user", "face"?, "history": [{"user", "beside", "intent"?}]}` in; `{"emotion", "share", "intent", "why"}` out."""
    feelings, embedder = _open(config_module.load())
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            user, face, history, intents = _case(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError("line-unreadable", f"Line {number} is not a case ({error}).", 'Give {"user": "…", "history": []}.') from error
        feeling = feelings.read(embedder.embed(user))
        choice = choose(user, feeling, history, intents, face)
        made = {"emotion": feeling.emotion, "share": feeling.share, "intent": choice.intent, "why": choice.why}
        print(json.dumps(made, ensure_ascii=False), flush=True)


def _case(case: dict[str, Any]) -> tuple[str, FaceLabel | None, tuple[Exchange, ...], tuple[Intent, ...]]:
    past = [each for each in case.get("history", []) if isinstance(each, dict)]
    face = case.get("face")
    history = tuple(Exchange(user=str(each["user"]), beside=str(each.get("beside", ""))) for each in past)
    intents = tuple(each["intent"] for each in past if each.get("intent") in get_args(Intent))
    return str(case["user"]), face if face in get_args(FaceLabel) else None, history, intents


def main() -> None:
    if sys.argv[1:2] != ["choose"]:
        lifecycle.main("companion", wire)
        return
    try:
        choose_command()
    except BesideError as trouble:
        print(f"{trouble.sentence} {trouble.remedy}", file=sys.stderr)
        sys.exit(trouble.exit_code)


if __name__ == "__main__":
    main()
