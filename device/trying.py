"""`beside try` with a real microphone and loudspeaker: asks about the camera first, then shows the conversation as it happens."""

import asyncio
import sys
from pathlib import Path
from typing import Never

import yaml

from device.bus import Bus
from device.config import Config
from device.events import ConsentChanged, ConsentRequest, Event, StateChanged
from device.house import VOICE, House
from device.rehearsal.telling import Telling
from device.tap import tap
from device.up import say, until_ready

CAMERAS = Path("/dev")
CONSENT_S = 5.0
QUESTION = "There is a camera. May Beside look at your face during this talk? Pictures are never kept, nor sent anywhere. [y/N] "


async def ask_consent(bus: Bus[ConsentChanged, ConsentRequest], given: bool) -> None:
    """Give or withdraw the consent to the camera; returns when it is in force."""
    await bus.say(ConsentRequest(what="camera", given=given, by="person"))
    async for event in bus.hear():
        if event.camera == given:
            return


def may_look(config: Config) -> bool:
    """Whether there is a camera and the person, asked at this terminal, says yes. No terminal, no question, no camera."""
    if not sys.stdin.isatty() or config.watcher.camera.startswith("file:") or not any(CAMERAS.glob("video*")):
        return False
    return input(QUESTION).strip().lower() in ("y", "yes")


def with_camera(config: Config) -> tuple[Config, Path]:
    """The same configuration with the camera on, written where the services read it."""
    settings = config.model_dump(mode="json")
    if config.watcher.camera == "off":
        settings["watcher"]["camera"] = "card"
    config.paths.run.mkdir(parents=True, exist_ok=True)
    path = config.paths.run.absolute() / "try.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return Config.model_validate(settings), path


async def try_out(config: Config, path: Path) -> int:
    """Talk until Ctrl-C. The consent given here ends with the talk."""
    looks = may_look(config)
    if looks:
        config, path = with_camera(config)
    house = House(config, path, VOICE, say)
    async with house:
        keeper = asyncio.create_task(house.watch())
        try:
            await _wait(house)
            if looks:
                await _consent(house, given=True)
            say("Beside is listening: just talk. Ctrl-C ends it.")
            await _show(house)
        finally:
            keeper.cancel()
            if looks:
                await _consent(house, given=False)
    return 0


async def _wait(house: House) -> None:
    connection: Bus[StateChanged, Never] = Bus(house.account("house"), until_ready)
    async with connection as bus:
        await until_ready(house, bus)


async def _consent(house: House, given: bool) -> None:
    connection: Bus[ConsentChanged, ConsentRequest] = Bus(house.account("operator"), ask_consent)
    async with asyncio.timeout(CONSENT_S), connection as bus:
        await ask_consent(bus, given)


async def _show(house: House) -> None:
    telling = Telling(as_json=False)
    connection: Bus[Event, Never] = Bus(house.account("tap"), tap)
    async with connection as bus:
        async for event in tap(bus):
            telling.event(event)
