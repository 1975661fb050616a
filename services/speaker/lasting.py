"""A loudspeaker that may come late, go away and come back: opened when it is needed, given up when it is lost.

`mend` is asked every few seconds; whatever it raises is the state of the loudspeaker in words.
"""

import asyncio
from collections.abc import Callable

from device.audio import Loudspeaker, Pcm, Played, Started
from device.errors import DeviceError


class LastingLoudspeaker:
    """`open_one` opens the device or raises DeviceError; the face is that of any loudspeaker, and `mend`."""

    name = "the loudspeaker"

    def __init__(self, open_one: Callable[[], Loudspeaker]) -> None:
        self._open_one = open_one
        self._inner: Loudspeaker | None = None
        self._opening = asyncio.Lock()

    @property
    def alive(self) -> bool:
        return self._inner is not None and self._inner.alive

    async def mend(self) -> None:
        """Open the device if it is not there any more; DeviceError while it cannot be had."""
        await self._opened()

    async def play(self, pcm: Pcm, rate_hz: int, started: Started) -> Played:
        inner = await self._opened()
        try:
            return await inner.play(pcm, rate_hz, started)
        except DeviceError:
            await self._give_up(inner)
            raise

    def stop(self) -> None:
        if self._inner is not None:
            self._inner.stop()

    async def close(self) -> None:
        if self._inner is not None:
            await self._give_up(self._inner)

    async def _opened(self) -> Loudspeaker:
        async with self._opening:
            if self._inner is not None and not self._inner.alive:
                await self._give_up(self._inner)
            if self._inner is None:
                self._inner = await asyncio.to_thread(self._open_one)
                self.name = self._inner.name
            return self._inner

    async def _give_up(self, inner: Loudspeaker) -> None:
        if self._inner is inner:
            self._inner = None
        await inner.close()
