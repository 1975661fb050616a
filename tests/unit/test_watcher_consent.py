"""The watcher looks only while the person agrees: no camera is opened before, none stays open after."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from device.audio import Picture
from device.config import Watcher
from device.errors import InputError
from device.events import ConsentChanged, FaceSeen
from services.watcher.service import watch

SHARES = np.array([0, 0, 0, 1, 0, 0, 0], np.float32)


class World:
    """Bus, life and camera in one: the test says the consents and sees what the watcher does."""

    def __init__(self, broken: bool = False) -> None:
        self.consents: asyncio.Queue[ConsentChanged] = asyncio.Queue()
        self.said: list[FaceSeen] = []
        self.states: list[str] = []
        self.open = self.opened = self.looked = 0
        self.name, self._broken, self._rng = "a camera", broken, np.random.default_rng(1)
        self.before_looking = lambda: None

    async def say(self, event: FaceSeen) -> None:
        self.said.append(event)

    async def hear(self) -> AsyncIterator[ConsentChanged]:
        while True:
            yield await self.consents.get()

    def agree(self, camera: bool, **header: str) -> None:
        self.consents.put_nowait(ConsentChanged(camera=camera, keep_emotions=False, **header))  # type: ignore[arg-type]  # a header's text

    def worked(self) -> None: ...

    async def ready(self, bus: Any) -> None:
        self.states.append("ready")

    async def degraded(self, bus: Any, trouble: Any) -> None:
        self.states.append(trouble.code)

    def camera(self) -> "World":
        self.opened += 1
        if self._broken:
            raise InputError("picture-unreadable", "It is no picture.", "Use another.")
        self.open += 1
        return self

    async def look(self) -> Picture:
        self.before_looking()
        await asyncio.sleep(0.01)  # the consent that was just withdrawn is heard
        self.looked += 1
        return self._rng.integers(60, 200, (64, 64, 3), dtype=np.uint8)

    async def close(self) -> None:
        self.open -= 1

    def read(self, picture: Picture) -> tuple[int, Any]:
        return 1, SHARES


@contextlib.asynccontextmanager
async def watching(world: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(watch(world, world.camera, world, Watcher(pictures_per_s=10), world))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # the watcher tells nobody when it looks
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("told", [{}, {"camera": False}, {"camera": True, "boot": "an-earlier-one"}])
async def test_no_camera_is_opened_when_nobody_has_said_yes_now(told: dict[str, Any]) -> None:
    """A yes of an earlier boot may have been withdrawn since: the recorder tells what is in force at its start."""
    world = World()
    if told:
        world.agree(**told)
    async with watching(world):
        await asyncio.sleep(0.4)
    assert (world.opened, world.said) == (0, [])


async def test_a_mood_is_told_after_a_yes_and_the_camera_closed_after_a_no() -> None:
    world = World()
    async with watching(world):
        world.agree(camera=True)
        await until(lambda: any(face.moods for face in world.said))
        world.agree(camera=False)
        await until(lambda: world.open == 0)
        looked = world.looked
        await asyncio.sleep(0.3)
        assert world.looked == looked
    assert world.said[-1].moods[0].label == "happy"


async def test_a_picture_that_was_taken_when_the_no_came_is_not_told() -> None:
    world = World()
    world.before_looking = lambda: world.agree(camera=False)
    async with watching(world):
        world.agree(camera=True)
        await until(lambda: world.looked == 1 and world.open == 0)
    assert world.said == []


async def test_a_camera_that_cannot_be_used_is_told() -> None:
    world = World(broken=True)
    async with watching(world):
        world.agree(camera=True)
        await until(lambda: world.said)
    assert world.states == ["picture-unreadable"]
    assert world.said[0].unknown_because == "no-camera"
