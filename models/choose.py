"""`beside models use NAME`: choose a model only after it has shown that it loads and answers.

The probe runs as a process against a copy of the configuration, so a model that crashes, hangs or answers nothing changes
nothing. Where Beside runs under systemd the service is started again with it, and the old model comes back if that fails.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from device import config as config_module
from device.config import ROOT
from device.errors import ConfigError, EngineError, InputError
from models.catalogue import Model, is_here, place_of
from models.config_line import with_value
from models.shelf import inspect

PROBE_S = 300  # a large model from a slow disk, plus two sentences
MEMORY_SHARE = 0.7  # the system, the other services and the disk's cache need the rest
PROBE_WORDS = "i miss my garden"
PROBE_SPEECH = "Good morning. I slept very well."

Settings = list[tuple[str, str, str]]  # section, key, value
_SERVICE = {"llm": "thinker", "stt": "listener", "tts": "speaker"}


@dataclass(frozen=True, slots=True)
class Proof:
    """What the probe saw: one line for the person, the service that must start again."""

    said: str
    service: str


def settings(model: Model, folder: Path) -> Settings:
    """What stands in the configuration when this model is used. InputError for a kind that has no setting."""
    if model.kind == "llm":
        return [("thinker", "model", model.name)]
    if model.kind == "stt":
        engine = [("listener", "stt", "vosk" if model.files else model.name)]
        return engine + [("listener", "vosk_model", str(place_of(f, folder))) for f in model.files]
    if model.kind == "tts":
        engine = [("speaker", "tts", "piper" if model.files else model.name)]
        return engine + [("speaker", "piper_voice", str(place_of(f, folder))) for f in model.files if f.file.endswith(".onnx")]
    raise InputError("model-no-setting", f"Beside has no setting for '{model.name}' ({model.kind}).", "It uses its own for this.")


def use(model: Model, folder: Path, config_path: Path, note: Callable[[str], None]) -> Proof:
    """Prove the model, then write the configuration; it is unchanged when anything raises."""
    wanted = settings(model, folder)
    if not is_here(model, folder):
        raise InputError("model-missing", f"'{model.name}' is not here.", f"Fetch it first: beside models fetch {model.name}")
    _must_fit(model, total_memory_mb())
    broken = [f for f in inspect(model, folder) if f.trouble]
    if broken:
        raise InputError("model-broken", f"{broken[0].file}: {broken[0].trouble}.", f"Fetch it again: beside models fetch {model.name}")
    old = _read(config_path)
    new = old
    for section, key, value in wanted:
        new = with_value(new, section, key, value)
    note(f"trying {model.name} ...")
    proof = Proof(probe(model.kind, new), _SERVICE[model.kind])
    _write(config_path, new)
    try:
        restart(proof.service, note)
    except EngineError:
        _write(config_path, old)
        restart(proof.service, note)
        raise
    return proof


def total_memory_mb() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def _must_fit(model: Model, memory_mb: int) -> None:
    if model.memory_mb > memory_mb * MEMORY_SHARE:
        raise InputError(
            "model-too-large",
            f"'{model.name}' needs about {model.memory_mb / 1000:.1f} GB of memory, and this machine has {memory_mb / 1000:.1f} GB.",
            "Ask what fits: beside models recommend",
        )


def probe(kind: str, config_text: str) -> str:
    """Run the service's own tool with this configuration; a sentence about what it did, or EngineError."""
    with tempfile.TemporaryDirectory(prefix="beside-use-") as name:
        folder = Path(name)
        config = folder / "config.yaml"
        config.write_text(config_text, encoding="utf-8")
        config_module.load(config)  # a mistake is said with its line, before anything runs
        return {"llm": _probe_llm, "stt": _probe_stt, "tts": _probe_tts}[kind](folder, config)


def _probe_llm(folder: Path, config: Path) -> str:
    lines = folder / "lines.jsonl"
    lines.write_text(json.dumps({"name": "Maria", "user": PROBE_WORDS}) + "\n", encoding="utf-8")
    answer = json.loads(_run("services.thinker", "think", "--file", str(lines), "--config", str(config)))
    if not str(answer.get("reply", "")).strip():
        raise EngineError("model-silent", "The model loads, but it says nothing.", "The old one stays.")
    pace = f"{answer['first_token_ms']} ms to the first word, {answer['tokens_per_s']} a second"
    return f'To "{PROBE_WORDS}" it says: "{answer["reply"]}" ({pace})'


def _probe_tts(folder: Path, config: Path) -> str:
    said = json.loads(_run("services.speaker", "say", PROBE_SPEECH, "--out", str(folder / "said.wav"), "--config", str(config)))
    if said["ms"] < 500:
        raise EngineError("voice-silent", "The voice loads, but it says nothing.", "The old one stays.")
    return f"{said['ms'] / 1000:.1f} s of speech were made in {said['took_ms'] / 1000:.2f} s."


def _probe_stt(folder: Path, config: Path) -> str:
    """A sentence of the built-in voice, understood."""
    plain = folder / "plain.yaml"
    plain.write_text("speaker:\n  tts: flite\n", encoding="utf-8")
    wav = folder / "said.wav"
    _run("services.speaker", "say", PROBE_SPEECH, "--out", str(wav), "--config", str(plain))
    heard = json.loads(_run("services.listener", "transcribe", str(wav), "--json", "--config", str(config)))
    if not str(heard.get("text", "")).strip():
        raise EngineError("ear-deaf", "The model loads, but it understands nothing.", "The old one stays.")
    return f'"{PROBE_SPEECH}" is heard as "{heard["text"]}".'


def _run(module: str, *args: str) -> str:
    """The last line that the tool prints."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *args], capture_output=True, text=True, timeout=PROBE_S, check=False, cwd=ROOT
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise EngineError("model-too-slow", f"There was no answer within {PROBE_S} seconds.", "The old one stays.") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        why = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise EngineError("model-does-not-work", f"It does not work here: {why}", "The old one stays.")
    return lines[-1]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("config-unreadable", f"The configuration {path} cannot be read.", "Check its owner.") from error


def _write(path: Path, text: str) -> None:
    """In one step, with the old file's mode and owner."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8")
        shutil.copymode(path, fresh)
        before, after = path.stat(), fresh.stat()
        if (before.st_uid, before.st_gid) != (after.st_uid, after.st_gid):
            os.chown(fresh, before.st_uid, before.st_gid)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(
            "config-unwritable", f"{path} cannot be written ({error.strerror}).", "Run the same command with sudo."
        ) from error


def restart(service: str, note: Callable[[str], None]) -> None:
    """Start the installed service again with the new model; without systemd it takes effect when Beside starts next.

    EngineError if it does not come up (the unit is `Type=notify`: systemctl waits until it is ready).
    """
    unit = f"beside-{service}.service"
    if not Path("/run/systemd/system").is_dir() or _systemctl("is-active", "--quiet", unit) != 0:
        note("It takes effect when Beside starts next.")
        return
    if os.geteuid() != 0:
        note(f"To use it now: sudo systemctl restart {unit}")
        return
    note(f"starting {unit} again ...")
    if _systemctl("restart", unit) != 0 or _systemctl("is-active", "--quiet", unit) != 0:
        raise EngineError("service-did-not-start", f"{unit} did not start with it, so the old one is back.", f"See: journalctl -u {unit}")


def _systemctl(*args: str) -> int:
    return subprocess.run(["systemctl", *args], capture_output=True, timeout=PROBE_S, check=False).returncode
