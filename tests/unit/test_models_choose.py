"""`beside models use`: the configuration changes only after the model has answered, and comes back if the service does not start."""

import json
from pathlib import Path

import pytest

from device import config as config_module
from device.errors import BesideError, EngineError, InputError
from models import catalogue, choose

CONFIG = "# ours\nthinker:\n  model: starter   # a name\nspeaker:\n  pace: 1.2\n"
VOICE = "en_US-norman-medium"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    path.chmod(0o640)
    return path


@pytest.fixture(autouse=True)
def no_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "restart", lambda service, note: None)


def answering(monkeypatch: pytest.MonkeyPatch, answer: dict[str, object]) -> list[tuple[str, ...]]:
    """The services' own tools are replaced by one that prints this; what was asked comes back."""
    asked: list[tuple[str, ...]] = []

    def run(module: str, *args: str) -> str:
        asked.append((module, *args))
        return json.dumps(answer)

    monkeypatch.setattr(choose, "_run", run)
    return asked


def use(name: str, config: Path) -> choose.Proof:
    return choose.use(catalogue.load().find(name), config.parent / "models", config, lambda _: None)


def test_use_writes_the_engine_after_it_spoke(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, {"ms": 2000, "took_ms": 90.0})
    assert use("flite", config).service == "speaker"
    assert asked[0][:2] == ("services.speaker", "say")
    assert config.read_text() == "# ours\nthinker:\n  model: starter   # a name\nspeaker:\n  tts: flite\n  pace: 1.2\n"
    assert config.stat().st_mode & 0o777 == 0o640
    assert config_module.load(config).speaker.tts == "flite"


@pytest.mark.parametrize(
    ("name", "answer", "code"),
    [
        ("flite", {"ms": 0, "took_ms": 1.0}, "voice-silent"),
        ("pocketsphinx", {"text": " "}, "ear-deaf"),
        ("minilm", {}, "model-no-setting"),
        ("qwen3-4b-2507", {}, "model-missing"),
    ],
)
def test_use_changes_nothing_when(config: Path, monkeypatch: pytest.MonkeyPatch, name: str, answer: dict[str, object], code: str) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(BesideError) as trouble:
        use(name, config)
    assert trouble.value.code == code
    assert config.read_text() == CONFIG


def test_use_changes_nothing_when_the_file_is_not_the_right_one(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"ms": 2000, "took_ms": 90.0})
    folder = config.parent / "models"
    folder.mkdir()
    for suffix in (".onnx", ".onnx.json"):
        (folder / f"{VOICE}{suffix}").write_bytes(b"other")
    with pytest.raises(InputError, match="bytes, not"):
        use(VOICE, config)
    assert config.read_text() == CONFIG


def test_use_changes_nothing_when_the_machine_is_too_small(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "total_memory_mb", lambda: 10)
    with pytest.raises(InputError, match="GB of memory"):
        use("pocketsphinx", config)
    assert config.read_text() == CONFIG


def test_use_brings_the_old_model_back_when_the_service_does_not_start(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"ms": 2000, "took_ms": 90.0})
    seen: list[str] = []

    def restart(service: str, note: object) -> None:
        seen.append(config.read_text())
        if len(seen) == 1:
            raise EngineError("service-did-not-start", "It did not start.")

    monkeypatch.setattr(choose, "restart", restart)
    with pytest.raises(EngineError, match="did not start"):
        use("flite", config)
    assert "tts: flite" in seen[0]
    assert seen[1] == CONFIG == config.read_text()


def test_probe_says_what_the_tool_said_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not work here"):
        choose.probe("tts", "speaker:\n  tts: piper\n  piper_voice: /nowhere/voice.onnx\n")


def test_settings_name_the_folder_of_a_vosk_model_and_the_file_of_a_voice(tmp_path: Path) -> None:
    known = catalogue.load()
    assert choose.settings(known.find("vosk-en"), tmp_path) == [
        ("listener", "stt", "vosk"), ("listener", "vosk_model", str(tmp_path / "vosk-model-en-us-0.22-lgraph")),
    ]  # fmt: skip
    assert choose.settings(known.find(VOICE), tmp_path)[1] == ("speaker", "piper_voice", str(tmp_path / f"{VOICE}.onnx"))
    assert choose.settings(known.find("qwen2.5-1.5b"), tmp_path) == [("thinker", "model", "qwen2.5-1.5b")]
