"""`beside doctor [--json]`: every check, plain words first; exit code 0 well, 1 a warning, 2 something is broken."""

import argparse
import json
import sys

from device import config as config_module
from device.config import Config
from device.doctor import bus, camera, clock, disk, journal, models, programs, sound
from device.doctor.finding import EXIT_CODES, Check, Finding
from device.errors import BesideError

CHECKS: tuple[Check, ...] = (bus.look, programs.look, sound.look, camera.look, models.look, journal.look, disk.look, clock.look)
MARKS = {"well": ("✓", 32), "note": ("·", 36), "warning": ("!", 33), "broken": ("✗", 31)}


def examine(config: Config) -> list[Finding]:
    """Every check, in the order in which a caregiver would look."""
    return [_examined(check, config) for check in CHECKS]


def _examined(check: Check, config: Config) -> Finding:
    try:
        return check(config)
    except Exception as error:  # noqa: BLE001  # a check that fails is a finding too, and must not hide the others
        name = check.__module__.rpartition(".")[2]
        return Finding(
            f"{name}-check-failed",
            name.capitalize(),
            "broken",
            f"This could not be checked ({type(error).__name__}).",
            "Tell a technician.",
        )


def show(found: Finding, colour: bool) -> str:
    mark, shade = MARKS[found.severity]
    sign = f"\033[{shade}m{mark}\033[0m" if colour else mark
    remedy = f"\n      {found.remedy}" if found.remedy else ""
    return f"  {sign} {found.title}: {found.sentence}{remedy}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="beside doctor",
        description="Check every part of Beside and say in plain words what is wrong and what helps.",
        epilog="Exit code: 0 all is well, 1 something needs attention, 2 something is broken.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a check, for programs")
    options = parser.parse_args(argv)
    try:
        found = examine(config_module.load())
    except BesideError as trouble:
        found = [Finding(trouble.code, "Configuration", "broken", trouble.sentence, trouble.remedy.strip())]
    if options.json:
        print(json.dumps([finding.as_json() for finding in found], indent=2))
    else:
        for finding in found:
            print(show(finding, sys.stdout.isatty()))
    return max(EXIT_CODES[finding.severity] for finding in found)


if __name__ == "__main__":
    sys.exit(main())
