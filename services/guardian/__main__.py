"""The guardian as a process: `python -m services.guardian`, and `… judge` for clinicians who want to try its rules."""

import argparse
import json
import sys
from pathlib import Path

from device import config as config_module
from device import lifecycle
from device.errors import BesideError, InputError
from device.lifecycle import Life
from services.guardian.alarms import AlarmStore
from services.guardian.judge import judge
from services.guardian.library import Scripts, load_rules, load_scripts
from services.guardian.rules import RuleSet
from services.guardian.service import guard
from services.guardian.talk import Talk, hear


async def wire(life: Life) -> None:
    rules = load_rules(life.config.guardian.language)
    scripts = load_scripts(life.config.guardian.language, life.config.guardian.country)
    alarms = AlarmStore(life.config.state("guardian") / "alarms.sqlite")
    try:
        async with life.bus(guard, durable=True) as bus:  # words said while it is being started again are judged still
            await life.ready(bus)
            await guard(bus, rules, scripts, alarms, life)
    finally:
        alarms.close()


def show(lines: list[str], rules: RuleSet, scripts: Scripts, as_json: bool) -> None:
    """Each line on its own, in order: level, rules, and what would be said."""
    for line in lines:
        judged = judge(line, (), rules)
        _, decision = hear(Talk(), judged, line, 0, scripts)
        if as_json:
            said = {"text": line, "level": judged.level, "kind": judged.kind, "rules": list(judged.rules), "says": list(decision.say)}
            print(json.dumps(said, ensure_ascii=False))
        else:
            print(f"{judged.level:4}  {line}")
            if judged.rules:
                print(f"      rules: {', '.join(judged.rules)}")
            if decision.say:
                print(f"      says:  {' '.join(decision.say)}")


def judge_command(argv: list[str]) -> None:
    """`judge (--text TEXT… | --file LINES) [--json]`."""
    parser = argparse.ArgumentParser(prog="beside guard", description="Show how the guardian judges sentences and what it would say.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", nargs="+", help="sentences, each judged on its own")
    source.add_argument("--file", type=Path, help="a text file, one sentence a line")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--config", type=Path, help="configuration file (language and country)")
    options = parser.parse_args(argv)
    config = config_module.load(options.config)
    lines: list[str] = options.text or []
    if options.file is not None:
        try:
            lines = options.file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                "file-unreadable", f"{options.file} cannot be read as text.", "Give a UTF-8 file, one sentence a line."
            ) from error
    rules = load_rules(config.guardian.language)
    scripts = load_scripts(config.guardian.language, config.guardian.country)
    show([line for line in lines if line.strip()], rules, scripts, options.json)


def main() -> None:
    if sys.argv[1:2] != ["judge"]:
        lifecycle.main("guardian", wire)
        return
    try:
        judge_command(sys.argv[2:])
    except BesideError as trouble:
        print(f"{trouble.sentence} {trouble.remedy}", file=sys.stderr)
        sys.exit(trouble.exit_code)


if __name__ == "__main__":
    main()
