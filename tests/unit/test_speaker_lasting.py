"""A loudspeaker that comes late, goes away and comes back."""

import numpy as np
import pytest

from device.audio import Loudspeaker, Pcm, Played, Started
from device.errors import DeviceError
from services.speaker.lasting import LastingLoudspeaker

MISSING = DeviceError("loudspeaker-missing", "No loudspeaker can be opened.", "Plug it in.")
LOST = DeviceError("loudspeaker-lost", "The loudspeaker went away.", "Check its plug.")
SOUND = np.ones(16, np.int16)


class Card:
    def __init__(self) -> None:
        self.name, self.alive, self.breaks, self.closed = "card", True, False, False

    async def play(self, pcm: Pcm, rate_hz: int, started: Started) -> Played:
        if self.breaks:
            raise LOST
        started(1)
        return Played(pcm.size, 1, False)

    def stop(self) -> None: ...

    async def close(self) -> None:
        self.closed = True


class Plug:
    """The socket in the wall: cards come out of it while it is in."""

    def __init__(self) -> None:
        self.there, self.cards = True, list[Card]()

    def open(self) -> Loudspeaker:
        if not self.there:
            raise MISSING
        self.cards.append(Card())
        return self.cards[-1]


def untold(first_sample_ns: int) -> None: ...


async def test_a_loudspeaker_that_is_missing_at_start_is_found_later() -> None:
    plug = Plug()
    plug.there = False
    lasting = LastingLoudspeaker(plug.open)
    with pytest.raises(DeviceError, match="No loudspeaker"):
        await lasting.mend()
    plug.there = True
    await lasting.mend()
    assert (await lasting.play(SOUND, 16_000, untold)).samples == 16


async def test_a_loudspeaker_lost_in_a_clause_is_opened_again_for_the_next() -> None:
    plug = Plug()
    lasting = LastingLoudspeaker(plug.open)
    await lasting.mend()
    plug.cards[0].breaks = True
    with pytest.raises(DeviceError, match="went away"):
        await lasting.play(SOUND, 16_000, untold)
    assert plug.cards[0].closed
    assert (await lasting.play(SOUND, 16_000, untold)).samples == 16
    assert len(plug.cards) == 2


async def test_a_loudspeaker_unplugged_in_silence_is_noticed() -> None:
    plug = Plug()
    lasting = LastingLoudspeaker(plug.open)
    await lasting.mend()
    plug.cards[0].alive, plug.there = False, False
    with pytest.raises(DeviceError, match="No loudspeaker"):
        await lasting.mend()
    plug.there = True
    await lasting.mend()
    assert len(plug.cards) == 2
