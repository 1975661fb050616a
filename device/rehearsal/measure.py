"""`make measure`: the figures by which a change to the path of a turn is judged, all from one run.

Thirty-two utterances in four voices, sixteen with a pause inside, recordings if they are given; then the idle house. Each set
is a real rehearsal in its own process. Word errors are counted against what was said; a person was cut off when one clip
became more than one turn. Times on a busy machine mean nothing: run it alone.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import yaml

from device.audio import RATE_HZ
from device.config import Config
from device.house import VOICE
from device.rehearsal.person import Clip, say

SAYINGS = (
    "I could not sleep because the man next door was snoring.",
    "My daughter wants to come on Sunday afternoon.",
    "They moved my bed closer to the window.",
    "I used to bake bread every Saturday morning.",
    "The doctor did not tell me very much today.",
    "My knee hurts when I turn over at night.",
    "I am so glad that you are still here.",
    "What day is it today?",
)
HALVES = (
    ("I wanted to tell you", "about my garden at home."),
    ("My brother and I", "went fishing every summer."),
    ("I am worried because", "the operation is tomorrow."),
    ("When I was young", "we lived near the sea."),
)
PAUSES_S = (0.3, 0.8, 1.5)
VOICES = ("rms", "awb", "kal16", "espeak-ng")
TIMES = ("endpoint_ms", "transcript_ms", "first_clause_ms", "first_sound_ms")
SETTLE_S, IDLE_S = 8.0, 30.0


def words(text: str) -> list[str]:
    """Lower case, no punctuation: what a recogniser could have written."""
    return "".join(c if c.isalnum() or c == "'" else " " for c in text.lower()).split()


def word_errors(said: Sequence[str], understood: Sequence[str]) -> int:
    """Substitutions, deletions and insertions between two texts (Levenshtein over words)."""
    row = list(range(len(understood) + 1))
    for i, word in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(understood, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


def spread(values: Iterable[float | None]) -> dict[str, float]:
    """n, median and p95 (nearest rank) of what was measured."""
    known = sorted(v for v in values if v is not None)
    if not known:
        return {"n": 0}
    return {"n": len(known), "median": round(median(known)), "p95": round(known[ceil(0.95 * len(known)) - 1])}


def rehearse(out: Path, arguments: Sequence[str]) -> list[dict[str, Any]]:
    """One rehearsal as a user would run it; the rows of its turns.jsonl."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "rehearsal.txt").open("w", encoding="utf-8") as log:
        subprocess.run([sys.executable, "-m", "device.rehearsal", *arguments, "--out", str(out)], stdout=log, stderr=log, check=False)
    turns = out / "turns.jsonl"
    return [json.loads(line) for line in turns.read_text(encoding="utf-8").splitlines()] if turns.exists() else []


def with_pause(first: str, second: str, pause_s: float, voice: str) -> Clip:
    """One utterance with silence inside, as of someone who looks for a word."""
    a, b = say(first, voice), say(second, voice)
    pcm = np.concatenate([a.pcm[: a.end], np.zeros(int(pause_s * RATE_HZ), np.int16), b.pcm[: b.end]])
    return Clip("pause", f"{first} {second}", pcm, pcm.size)


def spoken(out: Path) -> dict[str, Any]:
    """The thirty-two utterances: times, and word errors for each voice."""
    rows: list[dict[str, Any]] = []
    errors: dict[str, Any] = {}
    for voice in VOICES:
        turns = rehearse(out / f"say-{voice}", ["--voice", voice, "--say", *SAYINGS])
        rows += turns
        understood = words(" ".join(turn["user_text"] for turn in turns))
        said = words(" ".join(SAYINGS))
        errors[voice] = {"turns": len(turns), "word_error_rate": round(word_errors(said, understood) / len(said), 3)}
        print(f"  {voice}: {errors[voice]}", flush=True)
    return {
        "utterances": len(SAYINGS) * len(VOICES),
        "turns": len(rows),
        "voices": errors,
        **{t: spread(r[t] for r in rows) for t in TIMES},
    }


def paused(out: Path) -> dict[str, Any]:
    """Clips with a pause inside: how often one clip became two turns."""
    found: dict[str, Any] = {}
    for pause_s in PAUSES_S:
        folder = out / f"pause-{pause_s}"
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for number, (first, second) in enumerate(HALVES * 2):
            path = folder / f"clip-{number}.wav"
            with_pause(first, second, pause_s, VOICES[number % 2]).save(path)
            files.append(str(path))
        turns = rehearse(folder, ["--audio", *files])
        found[str(pause_s)] = {"clips": len(files), "cut_off": max(0, len(turns) - len(files))}
        print(f"  pause of {pause_s} s: {found[str(pause_s)]}", flush=True)
    return found


def idle(out: Path) -> dict[str, Any]:
    """The whole house with nobody in the room: seconds to ready, and for each process CPU share and proportional memory."""
    folder = out / "idle"
    folder.mkdir(parents=True, exist_ok=True)
    silence = Clip("silence", "", np.zeros(RATE_HZ, np.int16), 0)
    silence.save(folder / "silence.wav")
    config = {
        "paths": {"data": str(folder / "data"), "run": str(folder / "run"), "models": str(Config().paths.models)},
        "listener": {"microphone": f"file:{folder / 'silence.wav'}"},
        "speaker": {"loudspeaker": f"file:{folder / 'heard.wav'}"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with (folder / "up.txt").open("w", encoding="utf-8") as log:
        began = time.monotonic()
        house = subprocess.Popen(
            [sys.executable, "-m", "device.cli", "up", "--config", str(folder / "config.yaml")], stdout=log, stderr=log
        )
        try:
            while "is listening" not in (folder / "up.txt").read_text(encoding="utf-8"):
                if house.poll() is not None or time.monotonic() - began > 120:
                    return {"failed": (folder / "up.txt").read_text(encoding="utf-8")[-500:]}
                time.sleep(0.05)
            ready_s = time.monotonic() - began
            time.sleep(SETTLE_S)
            return {"ready_s": round(ready_s, 1), **_shares(house.pid)}
        finally:
            house.terminate()
            house.wait(20)


def _shares(pid: int) -> dict[str, Any]:
    family = {name: each for each in _children(pid) if (name := _name(each))}
    before = {name: _cpu_s(each) for name, each in family.items()}
    time.sleep(IDLE_S)
    cpu = {name: round(100 * (_cpu_s(each) - before[name]) / IDLE_S, 2) for name, each in family.items()}
    pss = {name: round(_pss_mb(each), 1) for name, each in family.items()}
    return {"cpu_percent": cpu, "cpu_percent_all": round(sum(cpu.values()), 2), "pss_mb": pss, "pss_mb_all": round(sum(pss.values()), 1)}


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _name(pid: int) -> str:
    line = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    return next((name for name in VOICE if f"services.{name}" in line), "broker" if "mosquitto" in line else "")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pss_mb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return float(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make measure", description="The figures of a turn and of the idle house, from one run (about ten minutes)."
    )
    parser.add_argument("--out", type=Path, default=Path("var/measured"), help="where the rehearsals are kept (default: var/measured)")
    parser.add_argument(
        "--audio", nargs="*", type=Path, default=[], metavar="FILE", help="recordings of people, held as one more conversation"
    )
    parser.add_argument("--only", choices=("spoken", "paused", "idle", "recorded"), help="one part")
    options = parser.parse_args()
    out = options.out.resolve()
    parts: dict[str, Any] = {"spoken": spoken, "paused": paused, "idle": idle}
    found: dict[str, Any] = {"load_before": os.getloadavg()[0]}
    for name, part in parts.items():
        if options.only in (None, name):
            print(f"{name} …", flush=True)
            found[name] = part(out)
    if options.audio and options.only in (None, "recorded"):
        turns = rehearse(out / "recorded", ["--audio", *map(str, options.audio)])
        found["recorded"] = {"clips": len(options.audio), "turns": len(turns), **{t: spread(r[t] for r in turns) for t in TIMES}}
    out.mkdir(parents=True, exist_ok=True)
    (out / "measured.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
