"""The rehearsal's stage: its own folder, its own configuration, nothing mixed with the real journal."""

import contextlib
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from device.config import ROOT, Config
from device.errors import InputError

MARK = ".rehearsal"  # only a folder that bears this mark is ever emptied
RESULTS = ("session.md", "emotions.txt", "turns.jsonl", "heard.wav", "talk.wav")  # what a rehearsal writes beside its journal
LONGEST_TEMP = 60  # bytes of the temp folder's path, so that the sockets in it stay below the kernel's 107


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line changes in the configuration."""

    camera: Path | None = None
    stt: str | None = None
    tts: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """`out` keeps the results and the journal; `run` holds sockets, passwords and logs and is removed afterwards."""

    out: Path
    run: Path
    config: Config
    config_path: Path

    def strike(self) -> None:
        """Keep the logs (no word of the person stands in them), remove the rest of the run folder."""
        logs = self.out / "logs"
        logs.mkdir(exist_ok=True)
        for log in self.run.glob("*.log"):
            shutil.copy(log, logs / log.name)
        shutil.rmtree(self.run, ignore_errors=True)


def set_up(base: Config, out: Path | None, choices: Choices) -> Stage:
    """Make the folders and write the derived configuration. InputError when a folder cannot be used."""
    home = (ROOT / base.paths.data / ".." / "rehearsals").resolve()
    out = (out or home / time.strftime("%Y%m%d-%H%M%S")).resolve()
    data = out / "journal"
    try:
        out.mkdir(parents=True, exist_ok=True)
        _clear(out, data)
        shutil.rmtree(data, ignore_errors=True)  # each rehearsal begins without memories
        data.mkdir(mode=0o700)
        (data / MARK).touch()
        _share_cache(home, data)
    except OSError as error:
        raise InputError("out-unwritable", f"The folder {out} cannot be written.", "Choose another one with --out.") from error
    temp = tempfile.gettempdir()
    run = Path(tempfile.mkdtemp(prefix="beside-", dir=temp if len(os.fsencode(temp)) <= LONGEST_TEMP else "/tmp"))  # noqa: S108  # mkdtemp is safe there
    settings = derive(base, data, run, choices)
    config_path = run / "config.yaml"
    config_path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return Stage(out, run, Config.model_validate(settings), config_path)


def _clear(out: Path, data: Path) -> None:
    """Remove the results of an earlier rehearsal, so that none passes for this one's; InputError where they are somebody else's."""
    if not (data / MARK).exists():
        if strange := [path for path in (data, *(out / name for name in RESULTS)) if os.path.lexists(path)]:
            raise InputError("out-not-ours", f"{strange[0]} is not a rehearsal's.", "Choose another folder with --out.")
        return
    for path in [*(out / name for name in RESULTS), *(out / "logs").glob("*.log")]:
        path.unlink(missing_ok=True)


def _share_cache(home: Path, data: Path) -> None:
    """Vectors of our own example sentences are the same for every rehearsal, and making them takes seconds; no person's word is in them."""
    with contextlib.suppress(OSError):  # without it the rehearsal starts slower, nothing else
        (home / "cache").mkdir(parents=True, exist_ok=True)
        (data / "cache").symlink_to(home / "cache")


def derive(base: Config, data: Path, run: Path, choices: Choices) -> dict[str, Any]:
    """The base configuration with our own folders, the air in place of the sound card, and the choices made."""
    settings = base.model_dump(mode="json")
    settings["paths"] = {"data": str(data), "run": str(run), "models": str((ROOT / base.paths.models).resolve())}
    settings["listener"] |= {"microphone": f"air:{run / 'mic.sock'}"} | ({"stt": choices.stt} if choices.stt else {})
    settings["speaker"] |= {"loudspeaker": f"air:{run / 'loud.sock'}"} | ({"tts": choices.tts} if choices.tts else {})
    settings["watcher"]["camera"] = f"file:{choices.camera.absolute()}" if choices.camera else "off"
    return settings
