"""Two clocks. Durations come from `now_ns` only; the wall clock is for people and may jump.

CLOCK_MONOTONIC is one clock for all processes of a machine, so a time from one service may be compared with another's.
"""

import os
import secrets
import time
from functools import cache
from pathlib import Path

NS_PER_MS = 1_000_000


def now_ns() -> int:
    """Monotonic nanoseconds since boot, the same for every process of this machine."""
    return time.monotonic_ns()


def wall_s() -> float:
    """Seconds since 1970, as the machine believes. Never subtract two of these."""
    return time.time()


def ms_between(start_ns: int, end_ns: int) -> float:
    """Milliseconds from `start_ns` to `end_ns` (both from `now_ns`)."""
    return (end_ns - start_ns) / NS_PER_MS


@cache
def boot_id() -> str:
    """The kernel's id of this boot: with it, monotonic times of different boots are never mixed.

    In the sandbox that part of /proc is hidden, and systemd tells it. It writes no hyphens, so neither do we.
    """
    if told := os.environ.get("BESIDE_BOOT_ID"):
        return told.replace("-", "")
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return "unknown"


def new_id() -> str:
    """A unique id that sorts by time: 12 hex digits of wall milliseconds, then 10 random ones."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(5)}"
