"""Who says what to whom, read from the signatures of the service functions.

From here come the broker's access list, the flow chart and docs/events.md, so none of them can drift from the code. This
module imports every `service.py` (never an engine) and is run as a process: `python -m services.flow acl|chart|events`.
"""

import argparse
import ast
import importlib
import inspect
import io
import sys
import tokenize
from dataclasses import dataclass

from device.bus import hears_and_says, topic_of
from device.events import Event, StateChanged, all_events
from device.house import attend

SERVICES = {
    "listener": "listen",
    "watcher": "watch",
    "guardian": "guard",
    "companion": "converse",
    "thinker": "think",
    "speaker": "speak",
    "recorder": "record",
    "keyboard": "type_and_read",  # stands in for listener and speaker
}
OPERATOR = "operator"  # the command line: asks the recorder to forget, to keep consent
HOUSE = "house"  # what starts the services: waits until they are ready, and until a conversation is sealed
DOCTOR = "doctor"  # asks how every service is
SHOW = "show"  # what `beside try` prints; one account is one connection, so it may not share tap's
TAP = "tap"  # sees everything, says nothing
LOOKERS = (DOCTOR, SHOW, TAP)  # no part of the flow
ACCOUNTS = (*SERVICES, OPERATOR, HOUSE, *LOOKERS)


@dataclass(frozen=True, slots=True)
class Room:
    """One account of the bus with what it hears and says."""

    name: str
    purpose: str
    hears: tuple[type[Event], ...]
    says: tuple[type[Event], ...]


def rooms() -> tuple[Room, ...]:
    """Every account, in the order of the flow."""
    found = []
    for name, function in SERVICES.items():
        service = getattr(importlib.import_module(f"services.{name}.service"), function)
        purpose = (inspect.getdoc(service) or "").split("\n", 1)[0]
        found.append(Room(name, purpose, *hears_and_says(service)))
    operate = importlib.import_module("services.recorder.operate").operate
    found.append(Room(OPERATOR, "The command line asks the recorder.", *hears_and_says(operate)))
    found.append(Room(HOUSE, "Waits until all are ready, and until a conversation is sealed.", *hears_and_says(attend)))
    found.append(Room(DOCTOR, "Asks how every service is.", (StateChanged,), ()))
    found.append(Room(SHOW, "Shows the conversation in the terminal.", all_events(), ()))
    found.append(Room(TAP, "Sees every event, says nothing.", all_events(), ()))
    return tuple(found)


def acl(found: tuple[Room, ...]) -> str:
    """Mosquitto's access list: each account reads what it hears, writes what it says and its own state, nothing else."""
    lines = ["# Generated from the service signatures. Do not edit.", ""]
    for room in found:
        lines.append(f"user {room.name}")
        lines += [f"topic read {topic_of(kind)}" for kind in room.hears]
        lines += [f"topic write {topic_of(kind)}" for kind in room.says if kind is not StateChanged]
        if room.name not in (*LOOKERS, HOUSE, OPERATOR):
            lines.append(f"topic write beside/state/{room.name}")
        lines.append("")
    return "\n".join(lines)


def chart(found: tuple[Room, ...]) -> str:
    """A Mermaid chart: one arrow for each pair of services, labelled with the events between them."""
    lines = ["flowchart LR"]
    real = [room for room in found if room.name not in LOOKERS]
    for source in real:
        for target in real:
            shared = [kind.topic for kind in source.says if kind in target.hears]
            if shared:
                lines.append(f'  {source.name} -- "{"<br/>".join(shared)}" --> {target.name}')
    return "\n".join(lines)


def events_page(found: tuple[Room, ...]) -> str:
    """docs/events.md."""
    lines = [
        "# Events on the bus",
        "",
        "Generated from `device/events.py` and the service signatures: `make docs`.",
        "",
        "```mermaid",
        chart(found),
        "```",
        "",
    ]
    for kind in all_events():
        says = [r.name for r in found if kind in r.says] or ["every service"]
        hears = [r.name for r in found if kind in r.hears and r.name not in LOOKERS]
        promise = "must arrive" if kind.must_arrive else "may be lost"
        lines += [f"## {kind.topic}", "", (inspect.getdoc(kind) or "").replace("\n", " "), ""]
        lines += [f"{', '.join(says)} → {', '.join(hears) or 'tap only'}; {promise}{', retained' if kind.retained else ''}.", ""]
        rows = [f"- `{name}: {annotation}`{f' — {comment}' if comment else ''}" for name, annotation, comment in fields_of(kind)]
        lines += rows + [""] * bool(rows)
    lines += ["## In every event", "", *(f"- `{n}: {a}`{f' — {c}' if c else ''}" for n, a, c in fields_of(Event))]
    return "\n".join(lines)


def fields_of(kind: type[Event]) -> list[tuple[str, str, str]]:
    """The event's own fields as they are written: name, type, and the comment with the unit."""
    source = inspect.getsource(kind)
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    body = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)).body
    return [
        (node.target.id, ast.unparse(node.annotation), comments.get(node.end_lineno or 0, ""))
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in kind.model_fields
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m services.flow", description="What the signatures say: access list, chart, events page."
    )
    parser.add_argument("what", choices=("acl", "chart", "events"))
    what = parser.parse_args().what
    page = {"acl": acl, "chart": chart, "events": events_page}[what]
    sys.stdout.write(page(rooms()).rstrip("\n") + "\n")


if __name__ == "__main__":
    main()
