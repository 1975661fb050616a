"""How long a conversation is kept, and when the clock is too doubtful to decide it. Pure.

A machine without a battery clock wakes in 1970, and a wrong date set by hand would erase everything at once. So after every
jump of the wall clock nothing is erased by age until the clock has gone on steadily for a week.
"""

from dataclasses import dataclass

DAY_S = 86_400.0
BACKWARD_S = 300.0  # small corrections are no jump
FORWARD_S = 7 * DAY_S
STEADY_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class WallClock:
    """What is remembered between two looks at the wall clock."""

    last_s: float
    distrusted_until_s: float = 0.0  # on the wall clock


def look(before: WallClock | None, now_s: float) -> WallClock:
    """The next memory of the clock: distrusted for a week after it went backwards or more than seven days forward."""
    if before is None:
        return WallClock(now_s)
    jumped = now_s < before.last_s - BACKWARD_S or now_s > before.last_s + FORWARD_S
    return WallClock(now_s, now_s + STEADY_S if jumped else before.distrusted_until_s)


def trusted(clock: WallClock) -> bool:
    """Whether anything may be erased by age now."""
    return clock.last_s >= clock.distrusted_until_s


def expired(sealed: dict[str, float], clock: WallClock, keep_days: int) -> tuple[str, ...]:
    """The sealed sessions (id and wall time of the seal) that are older than `keep_days`; none for 0 or a doubtful clock."""
    if keep_days == 0 or not trusted(clock):
        return ()
    return tuple(sorted(session for session, wall_s in sealed.items() if wall_s < clock.last_s - keep_days * DAY_S))
