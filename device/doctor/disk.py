"""Is there room for what must be kept?"""

import shutil

from device.config import Config
from device.doctor.finding import Finding, Severity

CODE, TITLE = "disk", "Disk"
LOW_MB, FULL_MB = 1000, 100


def look(config: Config) -> Finding:
    folder = config.paths.data.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        free_mb = shutil.disk_usage(folder).free // 1_000_000
    except OSError:
        return Finding(CODE, TITLE, "broken", f"The data folder {folder} cannot be looked at.", "Check that the disk is mounted.")
    if free_mb < LOW_MB:
        severity: Severity = "broken" if free_mb < FULL_MB else "warning"
        return Finding(
            CODE,
            TITLE,
            severity,
            f"Only {free_mb} MB are free where conversations are kept.",
            "Make room, or forget old conversations: beside sessions list",
        )
    return Finding(CODE, TITLE, "well", f"{free_mb / 1000:.0f} GB are free.")
