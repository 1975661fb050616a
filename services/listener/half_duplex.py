"""When Beside speaks, it does not listen to itself. This room knows, for any moment, whether the listener is deaf.

Deaf from a clause's first sample to its end and a tail for the room's echo. The end is told by the speaker; a speaker that
dies cannot tell it, so the clause's own duration bounds the deafness. The last part of the tail is kept as pre-roll: a quick
answer begins there.
"""

from typing import Literal

from device.clock import NS_PER_MS

TAIL_MS = 250
LOUD_TAIL_MS = 120  # of these, the echo is too loud to keep
LATE_END_MS = 500  # how much longer than announced a clause may last (a card's buffer)

Hearing = Literal["open", "tail", "deaf"]


class HalfDuplex:
    """Fed with the speaker's events, asked for moments of the microphone's time."""

    def __init__(self) -> None:
        self._clause: tuple[str, int] | None = None
        self._from_ns = 0
        self._until_ns = 0  # end of the sound; the tail comes on top

    def speech_started(self, turn: str, index: int, first_sample_ns: int, duration_ms: int) -> None:
        if not self._deaf_at(first_sample_ns):
            self._from_ns = first_sample_ns
        self._clause = (turn, index)
        self._until_ns = first_sample_ns + (max(0, duration_ms) + LATE_END_MS) * NS_PER_MS

    def speech_ended(self, turn: str, index: int, at_ns: int) -> None:
        """The end of another clause than the newest changes nothing: the next one already sounds."""
        if (turn, index) == self._clause:
            self._until_ns = min(self._until_ns, at_ns)
            self._clause = None

    def hearing(self, start_ns: int, end_ns: int) -> Hearing:
        """How a frame from `start_ns` to `end_ns` is to be taken."""
        if end_ns <= self._from_ns or start_ns >= self._until_ns + TAIL_MS * NS_PER_MS:
            return "open"
        return "tail" if start_ns >= self._until_ns + LOUD_TAIL_MS * NS_PER_MS else "deaf"

    def _deaf_at(self, at_ns: int) -> bool:
        return self._from_ns <= at_ns < self._until_ns + TAIL_MS * NS_PER_MS
