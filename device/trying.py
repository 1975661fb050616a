"""`beside try` with a real microphone and loudspeaker: asks about the camera first, then shows the conversation as it happens."""

import asyncio
import sys
from pathlib import Path
from typing import Never

import yaml

from device.bus import Bus
from device.config import Config
from device.errors import BusError
from device.events import ConsentChanged, ConsentRequest, Event, StateChanged
from device.house import VOICE, House
from device.rehearsal.telling import Telling
from device.tap import tap
from device.up import say, until_ready

CAMERAS = Path("/dev")
CONSENT_S = 5.0
QUESTION = "There is a camera. May Beside look at your face during this talk? Pictures are never kept, nor sent anywhere. [y/N] "


async def ask_consent(bus: Bus[ConsentChanged, ConsentRequest], given: bool) -> bool:
    """Give or withdraw the consent to the camera; returns when it is in force, with whether that needed a change."""
    asked = False
    async for event in bus.hear():  # the first tells what is in force now
        if event.camera == given:
            break
        if not asked:
            asked = True
            await bus.say(ConsentRequest(what="camera", given=given, by="person"))
    return asked


def may_look(config: Config) -> bool:
    """Whether there is a camera and the person, asked at this terminal, says yes. No terminal, no question, no camera."""
    if not sys.stdin.isatty() or config.watcher.camera.startswith("file:") or not any(CAMERAS.glob("video*")):
        return False
    try:
        return input(QUESTION).strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D is no yes
        return False


def with_camera(config: Config, on: bool = True) -> tuple[Config, Path]:
    """The same configuration with the camera on or off for this talk, written where the services read it."""
    settings = config.model_dump(mode="json")
    settings["watcher"]["camera"] = "off" if not on else "card" if config.watcher.camera == "off" else config.watcher.camera
    path = config.paths.run.absolute() / "try.yaml"
    try:
        config.paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    except OSError as error:
        raise BusError(
            "run-folder-unusable", f"The folder {config.paths.run} cannot be used.", "Set paths.run to a folder that can be written."
        ) from error
    return Config.model_validate(settings), path


async def try_out(config: Config, path: Path, looks: bool) -> int:
    """Talk until Ctrl-C. `looks`: the person said yes to the camera; a consent that is given here ends with the talk."""
    if looks or config.watcher.camera.startswith("card"):
        config, path = with_camera(config, looks)
    house = House(config, path, VOICE, say)
    async with house:
        keeper = asyncio.create_task(house.watch())
        given = False
        try:
            await _wait(house)
            if looks:
                given = await _consent(house, given=True)
            say("Beside is listening: just talk. Ctrl-C ends it.")
            await _show(house)
        finally:
            keeper.cancel()
            if given:
                await _consent(house, given=False)
    return 0


async def _wait(house: House) -> None:
    connection: Bus[StateChanged, Never] = Bus(house.account("house"), until_ready)
    async with connection as bus:
        await until_ready(house, bus)


async def _consent(house: House, given: bool) -> bool:
    """Whether the consent was changed; a recorder that is silent is told, and the talk goes on."""
    connection: Bus[ConsentChanged, ConsentRequest] = Bus(house.account("operator"), ask_consent)
    try:
        async with asyncio.timeout(CONSENT_S), connection as bus:
            return await ask_consent(bus, given)
    except (TimeoutError, BusError):
        word = "yes" if given else "no"
        say(f"Your {word} to the camera was not written down in time. See what is in force: beside consent")
        return given


async def _show(house: House) -> None:
    telling = Telling(as_json=False)
    connection: Bus[Event, Never] = Bus(house.account("show"), tap)
    async with connection as bus:
        async for event in tap(bus):
            telling.event(event)
