"""`beside think`: the real prompt and model without the bus, so that a technician can judge a model before a person meets it.

Each line of the file is a JSON object; each gives one line with the reply, the feeling and intent that were chosen for it,
and the time it took. The choice is the companion's: its policy runs as a process of its own, once for the whole file.
"""

import argparse
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from device import clock
from device import config as config_module
from device.config import Config
from device.embedding import Embedder
from device.errors import BesideError, EngineError, InputError
from device.events import Emotion, FaceLabel, Text
from services.thinker.clauses import Splitter, spoken, without_strangers
from services.thinker.exemplars import TABLE, Bank, open_bank
from services.thinker.llama import RANDOM_SEED, Llama
from services.thinker.mind import Limits
from services.thinker.model_file import resolve
from services.thinker.prompt import Ask, fit, full
from services.thinker.recall import sentence

LIMIT_MS = 60_000
MARGIN_TOKENS = 4


def _exchange(value: Any) -> Any:
    """An earlier exchange may be written as an object or as a pair."""
    return {"user": value[0], "beside": value[1]} if isinstance(value, list) and len(value) == 2 else value


class Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    user: Text
    beside: Text


class Line(BaseModel):
    """One line of the file. `emotion` is what the face shows, or (a word of the 32) what the person is known to feel."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(max_length=40)] = ""
    emotion: str = ""
    memories: list[Text] = []
    history: list[Annotated[Said, BeforeValidator(_exchange)]] = []
    user: Annotated[Text, Field(min_length=1)]

    @property
    def face(self) -> str:
        return self.emotion if self.emotion in get_args(FaceLabel) else ""


class Choice(BaseModel):
    """The companion's answer for one line."""

    model_config = ConfigDict(extra="ignore")
    emotion: str
    intent: str
    share: float = 0.0
    why: str = ""


def read(file: Path) -> list[Line]:
    """The lines of the file; InputError names the line that is wrong, and what was expected."""
    name = "standard input" if str(file) == "-" else file.name
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("lines-unreadable", f"{name} cannot be read as text.", "Give a file of JSON lines: --file LINES.jsonl") from error
    lines = [_line(name, number, raw) for number, raw in enumerate(text.splitlines(), 1) if raw.strip()]
    if not lines:
        raise InputError(
            "lines-empty", f"{name} has no line to think about.", 'Write lines like {"name": "Maria", "user": "i miss my garden"}'
        )
    return lines


def _line(name: str, number: int, raw: str) -> Line:
    example = 'A line looks like {"name": "Maria", "emotion": "sad", "memories": [], "history": [], "user": "i miss my garden"}'
    try:
        line = Line.model_validate(json.loads(raw))
    except json.JSONDecodeError as error:
        raise InputError(
            "line-not-json", f"{name}, line {number}: this is not JSON ({error.msg}, column {error.colno}).", example
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"]) or "the line"
        raise InputError("line-wrong", f"{name}, line {number}: {at}: {first['msg'].lower()}.", example) from error
    known = {*get_args(FaceLabel), *get_args(Emotion), ""}
    if line.emotion not in known:
        raise InputError(
            "line-wrong",
            f"{name}, line {number}: there is no emotion '{line.emotion[:40]}'.",
            f"Use one of: {', '.join(sorted(known - {''}))}.",
        )
    return line


def choose(lines: Sequence[Line]) -> list[Choice]:
    """Feeling and intent for each line, by the companion's own policy."""
    asked = [{"user": line.user, "face": line.face or None, "history": [said.model_dump() for said in line.history]} for line in lines]
    done = subprocess.run(
        [sys.executable, "-m", "services.companion", "choose"],
        input="".join(json.dumps(each) + "\n" for each in asked), capture_output=True, text=True, cwd=config_module.ROOT, check=False,
    )  # fmt: skip
    answers = done.stdout.splitlines()
    if done.returncode != 0 or len(answers) != len(lines):
        raise EngineError(
            "choice-failed", "The companion could not choose feeling and intent.", (done.stderr.strip().splitlines() or [""])[-1][:200]
        )
    choices = [Choice.model_validate_json(answer) for answer in answers]
    return [
        choice.model_copy(update={"emotion": line.emotion, "why": "given"}) if line.emotion and not line.face else choice
        for line, choice in zip(lines, choices, strict=True)
    ]


def answers(
    lines: Sequence[Line], choices: Sequence[Choice], mind: Llama, bank: Bank, embedder: Embedder, config: Config
) -> Iterator[dict[str, Any]]:
    """One object a line, as it is made."""
    for line, choice in zip(lines, choices, strict=True):
        start_ns = clock.now_ns()
        ask = Ask(
            line.name, tuple((s.user, s.beside) for s in line.history), tuple(sentence(m, "said") for m in line.memories), line.face,
            choice.emotion, choice.intent, bank.nearest(embedder.embed(line.user), choice.intent), line.user,
        )  # fmt: skip
        room = mind.context_tokens - config.thinker.reply_tokens - MARGIN_TOKENS
        prompt = full(mind.family, fit(mind.family, ask, mind.count, room))
        pieces: list[str] = []
        limits = Limits(config.thinker.reply_tokens, start_ns + LIMIT_MS * clock.NS_PER_MS)
        written = mind.write(prompt, limits, threading.Event(), pieces.append)
        splitter = Splitter()
        clauses = [spoken(without_strangers(clause, ask.known)) for clause in (*splitter.feed("".join(pieces)), splitter.end())]
        yield {
            "name": line.name, "user": line.user, "reply": " ".join(filter(None, clauses)), "emotion": choice.emotion,
            "intent": choice.intent, "why": choice.why,
            "first_token_ms": round(clock.ms_between(start_ns, written.first_ns), 1) if written.first_ns else None,
            "tokens": written.tokens, "tokens_per_s": round(written.tokens_per_s, 1), "prompt_tokens": written.prompt_tokens,
            "evaluated_tokens": written.evaluated_tokens, "ended": written.why, "model": mind.name,
        }  # fmt: skip


def main(argv: list[str]) -> NoReturn:
    parser = argparse.ArgumentParser(
        prog="beside think",
        description="Answers each line of a file with the real prompt and model, without the bus.",
        epilog='a line: {"name": "Maria", "emotion": "sad", "memories": ["my sister kept bees"], "history": [], "user": "i miss the sea"}',
    )  # fmt: skip
    parser.add_argument("--file", type=Path, required=True, help="JSON lines; - reads standard input")
    parser.add_argument("--model", help="a name of the catalogue or a path to a GGUF (default: thinker.model of the configuration)")
    parser.add_argument("--seed", type=int, default=RANDOM_SEED, help="the same seed gives the same replies")
    parser.add_argument("--config", type=Path, help="configuration file (default: $BESIDE_CONFIG or the installed one)")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="think: %(levelname)s %(message)s")
    try:
        lines = read(options.file)
        config = config_module.load(options.config)
        if options.model:
            config = config.model_copy(update={"thinker": config.thinker.model_copy(update={"model": options.model})})
        path, family = resolve(config)
        thinker = config.thinker
        mind = Llama(
            path,
            context_tokens=thinker.context_tokens,
            threads=thinker.threads,
            temperature=thinker.temperature,
            family=family,
            seed=options.seed,
        )
        embedder = Embedder(config.paths.models)
        bank = open_bank(TABLE, embedder.embed, config.state("thinker"))
        if not bank.complete:
            print("think: preparing the example answers, once ...", file=sys.stderr)
        while not bank.complete:
            bank.learn(100)
        for answer in answers(lines, choose(lines), mind, bank, embedder, config):
            print(json.dumps(answer, ensure_ascii=False), flush=True)
    except BesideError as trouble:
        print(f"think: {trouble.sentence} {trouble.remedy}".strip(), file=sys.stderr)
        sys.exit(trouble.exit_code)
    sys.exit(0)
