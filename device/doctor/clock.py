"""Does the machine know what day it is? Without a network a dead clock battery shows here."""

import time

from device import clock as device_clock
from device.config import ROOT, Config
from device.doctor.finding import Finding

CODE, TITLE = "clock", "Clock"


def look(config: Config) -> Finding:
    built_s = (ROOT / "pyproject.toml").stat().st_mtime if (ROOT / "pyproject.toml").exists() else 0.0
    now_s = device_clock.wall_s()
    if now_s < built_s - 86_400:
        shown = time.strftime("%d %B %Y", time.localtime(now_s))
        return Finding(
            CODE,
            TITLE,
            "warning",
            f"The clock says {shown}, which is before Beside was installed.",
            "Set the clock; its battery may be empty.",
        )
    return Finding(CODE, TITLE, "well", time.strftime("It is %A, %d %B %Y, %H:%M.", time.localtime(now_s)))
