"""Can the journal be read, and is it whole?"""

import contextlib
import sqlite3

from device.config import Config
from device.doctor.finding import Finding

CODE, TITLE = "journal", "Journal"


def look(config: Config) -> Finding:
    folder = config.state("recorder")
    path = folder / "journal.sqlite"
    if not path.exists():
        return Finding(CODE, TITLE, "note", "There is no journal yet; it begins with the first conversation.")
    quarantined = sorted(folder.glob("journal-damaged-*.sqlite"))
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as reading:
            verdict = str(reading.execute("PRAGMA quick_check").fetchone()[0])
    except sqlite3.Error:
        return Finding(
            CODE,
            TITLE,
            "broken",
            "The journal cannot be read.",
            "Do not delete it. Restart Beside: a damaged journal is set aside, not lost.",
        )
    if verdict != "ok":
        return Finding(
            CODE, TITLE, "broken", "The journal is damaged.", "Restart Beside: it sets the damaged file aside and begins a new one."
        )
    if quarantined:
        return Finding(
            CODE,
            TITLE,
            "warning",
            f"An older, damaged journal was set aside: {quarantined[0].name}.",
            "Ask a technician to save what can be saved.",
        )
    return Finding(CODE, TITLE, "well", "The journal is whole.")
