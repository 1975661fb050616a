"""`beside sessions forget` and `beside consent`: over the bus when the house is up, else as the journal's one writer for a moment."""

import argparse
import asyncio
import json
import socket
import sqlite3
import sys
from contextlib import closing
from typing import Any

from device.bus import Bus
from device.clock import boot_id, wall_s
from device.config import Config
from device.errors import BusError, InputError
from device.events import ConsentChanged, ConsentRequest, ForgetDone, ForgetRequest, SessionSealed
from device.journal import Journal
from device.journal_reading import open_reader
from device.lifecycle import Life
from services.recorder import forgetting, rows
from services.recorder.operate import operate
from services.recorder.reading import find_talk
from services.recorder.sealing import erase_all_moods
from services.recorder.shelf import Shelf

ANSWER_S = 60.0


def forget(config: Config, options: argparse.Namespace) -> int:
    """Erase for real, after asking; exit code 1 if something was still found."""
    shelf = Shelf.of(config.paths)
    session = ""
    if not options.all:
        with closing(open_reader(shelf.journal)) as db:
            session = find_talk(db, options.session).session
    what = f"the conversation {session}" if session else "every conversation and every memory"
    if not options.yes and not _sure(f"Erase {what}? This cannot be undone. Type yes: "):
        print("Nothing was erased.")
        return 1
    request = ForgetRequest(forget_session=session, by="command line")
    if _house_is_up(config):
        answer = asyncio.run(_ask(config, request))
        assert isinstance(answer, ForgetDone)
        done = {"sessions": answer.sessions, "turns": answer.turns, "memories": answer.memories, "sentence": answer.sentence}
    else:
        done = _forget_here(shelf, request)
    print(json.dumps(done, ensure_ascii=False) if options.json else done["sentence"])
    return 0 if "still stands in" not in str(done["sentence"]) else 1


def _forget_here(shelf: Shelf, request: ForgetRequest) -> dict[str, Any]:
    """The house is down: this process is the one writer."""
    journal = Journal(shelf.journal)
    try:
        journal.write(lambda db: rows.insert(db, request))
        erased = forgetting.erase(journal, shelf, request)
        forgetting.drop_index(shelf)
        index = "The memory index was deleted; it is built anew at the next start."
        search = forgetting.prove(journal, shelf, erased)
        sentence = forgetting.report(erased, search, index, shelf)
        if not any(shelf.is_of_another(path) for path in (*search.found, *search.closed)):
            forgetting.finish(journal, erased, sentence)  # else the recorder takes it up at its start, and tells guardian
    finally:
        journal.close()
    return {"sessions": erased.sessions, "turns": erased.turns, "memories": len(erased.memories), "sentence": sentence}


def consent(config: Config, options: argparse.Namespace) -> int:
    """Show the consents in force, or change one."""
    if options.what is None:
        camera, keep = _consents_in_force(config)
    elif options.answer is None:
        raise InputError("consent-unclear", f"Say yes or no to {options.what}.", f"For example: beside consent {options.what} yes")
    else:
        request = ConsentRequest(what=options.what, given=options.answer == "yes", by=options.by)
        camera, keep = _consent_here(config, request) if not _house_is_up(config) else _consents(asyncio.run(_ask(config, request)))
    if options.json:
        print(json.dumps({"camera": camera, "keep_emotions": keep}))
    else:
        print(f"camera: {'yes' if camera else 'no'}\nkeep-emotions: {'yes' if keep else 'no'}")
    return 0


def _consents_in_force(config: Config) -> tuple[bool, bool]:
    path = Shelf.of(config.paths).journal
    if not path.exists():
        return False, False
    with closing(open_reader(path)) as db:
        return rows.consents(db)


def _consents(answer: ForgetDone | ConsentChanged) -> tuple[bool, bool]:
    assert isinstance(answer, ConsentChanged)
    return answer.camera, answer.keep_emotions


def _consent_here(config: Config, request: ConsentRequest) -> tuple[bool, bool]:
    shelf = Shelf.of(config.paths)
    journal = Journal(shelf.journal)

    def work(db: sqlite3.Connection) -> tuple[bool, bool]:
        rows.insert(db, request)
        rows.audit(db, "consent", request.by, f"{request.what} {'given' if request.given else 'withdrawn'}", boot_id(), wall_s())
        return rows.consents(db)

    try:
        in_force = journal.write(work)
        if request.what == "keep-emotions" and not request.given:
            erase_all_moods(journal, shelf)
    finally:
        journal.close()
    return in_force


def _sure(question: str) -> bool:
    if not sys.stdin.isatty():
        raise InputError("forget-unsure", "Nobody is there to be asked.", "Add --yes when you are sure.")
    return input(question).strip().lower() == "yes"


def _house_is_up(config: Config) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(str(config.bus_socket)) == 0


async def _ask(config: Config, request: ForgetRequest | ConsentRequest) -> ForgetDone | ConsentChanged:
    life = Life("operator", config)
    connection: Bus[ForgetDone | ConsentChanged | SessionSealed, ForgetRequest | ConsentRequest] = Bus(life.account(), operate)
    async with connection as bus:  # an operator is no service and has no state
        try:
            return await asyncio.wait_for(operate(bus, request), ANSWER_S)
        except TimeoutError as error:
            raise BusError(
                "recorder-silent", "The recorder has not answered.", "It will do what was asked once it is back; see: beside doctor"
            ) from error
