"""`beside sessions list | show | export`: read the journal beside the service; no running house is needed."""

import argparse
import dataclasses
import json
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import Any

from device.config import Config
from device.errors import InputError
from device.journal_reading import open_reader
from services.recorder import rows
from services.recorder.log import page, plain
from services.recorder.shelf import Shelf, write_whole
from services.recorder.talk import Talk, openings, read_talk


def list_sessions(config: Config, options: argparse.Namespace) -> int:
    """All conversations, oldest first, one line each."""
    with closing(open_reader(Shelf.of(config.paths).journal)) as db:
        talks = [talk for o in openings(db) if (talk := read_talk(db, o.session))]
    if options.json:
        print(json.dumps([_summary(talk) for talk in talks], ensure_ascii=False, indent=1))
    elif not talks:
        print("There are no conversations yet.")
    for talk in talks if not options.json else ():
        begun = datetime.fromtimestamp(talk.opened_wall_s).astimezone()
        facts = [f"{talk.utterances} turns", "sealed" if talk.log else "open"]
        facts += [f"{len(talk.alarms)} alarms"] if talk.alarms else []
        print(f"{talk.session}  {begun:%Y-%m-%d %H:%M}  {plain(talk.who) or '-'}  {', '.join(facts)}")
    return 0


def show(config: Config, options: argparse.Namespace) -> int:
    """One conversation as its log, or whole as JSON."""
    with closing(open_reader(Shelf.of(config.paths).journal)) as db:
        talk = _as_agreed(db, find_talk(db, options.session))
    print(
        json.dumps(_whole(talk), ensure_ascii=False, indent=1) if options.json else page(talk, with_moods=bool(talk.moods)),
        end="\n" if options.json else "",
    )
    return 0


def export(config: Config, options: argparse.Namespace) -> int:
    """Logs and their JSON into a folder."""
    shelf = Shelf.of(config.paths)
    folder = options.out or shelf.exports
    with closing(open_reader(shelf.journal)) as db:
        wanted = [o.session for o in openings(db)] if options.all else [options.session]
        talks = [_as_agreed(db, find_talk(db, session)) for session in wanted]
    written = []
    try:
        for talk in talks:
            path = folder / shelf.log(talk.session, talk.opened_wall_s).name
            write_whole(path, page(talk, with_moods=bool(talk.moods)))
            write_whole(path.with_suffix(".json"), json.dumps(_whole(talk), ensure_ascii=False, indent=1) + "\n")
            written += [str(path), str(path.with_suffix(".json"))]
    except OSError as error:
        raise InputError("export-unwritable", f"Nothing can be written to {folder}.", "Choose another folder with --out.") from error
    print(json.dumps(written) if options.json else "\n".join(written) or "There are no conversations yet.")
    return 0


def find_talk(db: sqlite3.Connection, wanted: str) -> Talk:
    """The session with this id, or the only one that begins so."""
    known = [o.session for o in openings(db)]
    found = [s for s in known if s == wanted] or [s for s in known if s.startswith(wanted)] or (known[-1:] if wanted == "last" else [])
    if len(found) != 1:
        many = f"{len(found)} conversations begin with" if found else "There is no conversation"
        raise InputError("session-unknown", f"{many} '{wanted}'.", "See: beside sessions list")
    talk = read_talk(db, found[0])
    assert talk is not None
    return talk


def _as_agreed(db: sqlite3.Connection, talk: Talk) -> Talk:
    """Without the moods of a conversation that still goes on, unless the person agreed to keep them: an export would outlive them."""
    _, keep = rows.consents(db)
    return talk if keep else dataclasses.replace(talk, moods=(), turns=tuple(dataclasses.replace(t, face="", why="") for t in talk.turns))


def _summary(talk: Talk) -> dict[str, Any]:
    return {
        "session": talk.session, "who": talk.who, "opened_wall_s": talk.opened_wall_s, "closed_wall_s": talk.closed_wall_s,
        "length_s": talk.length_s, "why": talk.why, "turns": talk.utterances, "alarms": len(talk.alarms), "log": talk.log,
    }  # fmt: skip


def _whole(talk: Talk) -> dict[str, Any]:
    return dataclasses.asdict(talk) | {
        "turns": [dataclasses.asdict(t) | {"heard_text": t.heard_text, "interrupted": t.interrupted} for t in talk.turns]
    }
