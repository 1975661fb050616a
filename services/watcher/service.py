"""The watcher: looks a few times a second and says the mood of the one face it sees, or honestly that it does not know.

Off until the person consented. A picture lives in this process for as long as it takes to read it, and nowhere else.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Never, Protocol

from device.audio import Camera, Picture
from device.bus import Bus
from device.clock import boot_id, now_ns
from device.config import Watcher
from device.errors import BesideError, DeviceError
from device.events import ConsentChanged, FaceMood, FaceSeen
from device.lifecycle import Life
from services.watcher.mood import Mood, Shares, Why, blind_because, same

log = logging.getLogger(__name__)

REOPEN_S = 3.0
TELL_AGAIN_NS = 2_000_000_000  # an unchanged mood is told again, so that late listeners and stale hints are dealt with


class Reader(Protocol):
    """Finds faces in a picture and reads the one face there is."""

    def read(self, picture: Picture) -> tuple[int, Shares | None]: ...


async def watch(
    bus: Bus[ConsentChanged, FaceSeen], open_camera: Callable[[], Camera] | None, reader: Reader, config: Watcher, life: Life
) -> Never:
    """Looks at the person, with consent, and says the mood of the face in words."""
    consented = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_listen_for_consent(bus, consented))
        while True:
            if open_camera is None:
                await bus.say(FaceSeen(faces=0, unknown_because="no-camera"))
                life.worked()
                await asyncio.sleep(REOPEN_S)
                continue
            while not consented.is_set():
                life.worked()  # doing nothing is this service's work until the person has said yes
                await asyncio.sleep(1.0 / config.pictures_per_s)
            await _look_while_allowed(bus, open_camera, reader, config, life, consented)


async def _listen_for_consent(bus: Bus[ConsentChanged, FaceSeen], consented: asyncio.Event) -> None:
    async for event in bus.hear():
        if event.camera and event.boot == boot_id():  # an older yes is what the broker's store remembers: the recorder tells it again
            consented.set()
        else:
            consented.clear()


async def _look_while_allowed(
    bus: Bus[ConsentChanged, FaceSeen],
    open_camera: Callable[[], Camera],
    reader: Reader,
    config: Watcher,
    life: Life,
    consented: asyncio.Event,
) -> None:
    """Open the camera, look until consent ends or the camera is lost, close it: its light is off when Beside does not look."""
    try:
        camera = await asyncio.to_thread(open_camera)
    except BesideError as trouble:
        await life.degraded(bus, trouble)
        await bus.say(FaceSeen(faces=0, unknown_because="no-camera"))
        life.worked()  # looking for the camera is the work now
        await asyncio.sleep(REOPEN_S)
        return
    await life.ready(bus)
    try:
        await _look(bus, camera, reader, config, life, consented)
    except DeviceError as trouble:
        await life.degraded(bus, trouble)
        await bus.say(FaceSeen(faces=0, unknown_because="no-camera"))
    finally:
        await camera.close()


async def _look(
    bus: Bus[ConsentChanged, FaceSeen], camera: Camera, reader: Reader, config: Watcher, life: Life, consented: asyncio.Event
) -> None:
    mood, before, same_in_a_row, told, told_at_ns = Mood(), None, 0, None, 0
    while consented.is_set():
        picture = await camera.look()
        blind: Why = blind_because(picture, before, same_in_a_row)
        same_in_a_row = same_in_a_row + 1 if before is not None and same(picture, before) else 0
        before = picture
        faces, shares = (0, None) if blind else await asyncio.to_thread(reader.read, picture)
        mood = mood.unseen() if shares is None else mood.seen(shares, now_ns())
        life.worked()
        if not consented.is_set():
            return  # what was seen when the no came is not told
        said = _said(mood, faces, blind)
        if said != told or now_ns() - told_at_ns > TELL_AGAIN_NS:
            told, told_at_ns = said, now_ns()
            moods, faces_said, why = said
            await bus.say(FaceSeen(moods=moods, faces=faces_said, unknown_because=why))
        await asyncio.sleep(1.0 / config.pictures_per_s)


def _said(mood: Mood, faces: int, blind: Why) -> tuple[tuple[FaceMood, ...], int, Why]:
    """What one look amounts to: the top three, or why there is none."""
    moods = tuple(FaceMood(label=label, share=share) for label, share in mood.top())
    why: Why = blind or ("no-face" if faces == 0 else "many-faces" if faces > 1 else "" if moods else "unsure")
    return (moods if not why else ()), faces, why
