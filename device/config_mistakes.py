"""What is wrong in a configuration, said all at once: the line, what was expected, what was probably meant.

YAML gives the place of every key, the schema gives what it expects, difflib guesses at misspelt names.
"""

import difflib
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from device.config import Config
from device.errors import ConfigError

Place = tuple[str | int, ...]
MAX_BYTES = 256 * 1024
DEEPEST = 4


def parse(text: str, source: str) -> Config:
    """The configuration in `text`, or a ConfigError that names every mistake."""
    if len(text) > MAX_BYTES:
        raise ConfigError(
            "config-too-large", f"{source} is too large to be a configuration.", "Start again from the config.yaml of the project."
        )
    lines: dict[Place, int] = {}
    mistakes: list[tuple[int, str]] = []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text) if root is not None else {}
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(
            "config-syntax", f"{source}: {where}this is not YAML.", "Look for a missing colon, a tab or an unclosed quote."
        ) from error
    if not isinstance(data, dict):
        raise ConfigError(
            "config-syntax", f"{source}: expected sections such as 'listener:'.", "Start again from the config.yaml of the project."
        )
    _collect(root, (), lines, mistakes)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        mistakes += [(_line(lines, e["loc"]), _sentence(e)) for e in error.errors()]
    if mistakes:
        listed = "\n".join(f"  line {line}: {what}" for line, what in sorted(mistakes))
        count = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ConfigError("config-wrong", f"{source} has {count}:\n{listed}", "\nCorrect them and start again.")
    return config


def _collect(node: Any, at: Place, lines: dict[Place, int], mistakes: list[tuple[int, str]]) -> None:
    """The line of every key, and keys that stand twice (YAML would silently take the last)."""
    if len(at) > DEEPEST:  # an anchor that holds itself would never end; nothing of ours is that deep
        return
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                mistakes.append((line, f"'{key.value}' stands twice (first in line {seen[key.value]}); keep one."))
            seen[key.value] = line
            lines[(*at, key.value)] = line
            _collect(value, (*at, key.value), lines, mistakes)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            lines[(*at, i)] = value.start_mark.line + 1
            _collect(value, (*at, i), lines, mistakes)


def _line(lines: dict[Place, int], place: Place) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _sentence(error: Any) -> str:
    """One mistake for people. `error` is pydantic's error dictionary."""
    place: Place = error["loc"]
    name = ".".join(str(part) for part in place)
    given = error.get("input")
    if error["type"] == "extra_forbidden":
        known = _known_names(place[:-1])
        near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}."
        return f"'{name}' is not a known key; {hint}"
    context = error.get("ctx", {})
    bounds = {
        "greater_than_equal": "at least {ge}", "less_than_equal": "at most {le}", "greater_than": "more than {gt}",
        "literal_error": "one of {expected}", "string_too_long": "at most {max_length} characters",
    }  # fmt: skip
    wanted = (
        bounds.get(error["type"], "").format(**context) if error["type"] in bounds else str(error["msg"]).removeprefix("Input should be ")
    )
    near = difflib.get_close_matches(
        str(given), [w.strip(" '") for w in wanted.removeprefix("one of ").replace(" or ", ", ").split(",")], n=1, cutoff=0.5
    )
    hint = f" Did you mean '{near[0]}'?" if error["type"] == "literal_error" and near else ""
    return f"'{name}' is {given!r}; expected {wanted}.{hint}"


def _known_names(section: Place) -> list[str]:
    model: type[BaseModel] = Config
    for part in section:
        inner = model.model_fields[str(part)].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return sorted(model.model_fields)
