"""Each check, each way it can turn out."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from device import broker
from device import clock as device_clock
from device.config import Config, Paths, Speaker, Thinker, Watcher
from device.config import Listener as Ears
from device.doctor import __main__ as doctor
from device.doctor import bus, camera, clock, disk, journal, models, programs, sound
from device.doctor.finding import Check, Finding
from device.events import StateChanged
from device.house import VOICE

BOOT = "this-boot"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(paths=Paths(data=tmp_path / "data", run=tmp_path / "run", models=tmp_path / "models"))


def states(**other: str) -> dict[str, StateChanged]:
    """All services ready, but for those named: `speaker="gone"`; "" for one that never spoke."""
    told = {name: "ready" for name in VOICE} | other
    return {
        name: StateChanged(service=name, state=state, sentence="It is so.", remedy="Mend it.", boot=BOOT)
        for name, state in told.items()
        if state  # type: ignore[arg-type]  # the test's own words
    }


# ---- services --------------------------------------------------------------------------------------------------------


def test_all_services_ready_is_well() -> None:
    assert bus.judge(states(), BOOT).severity == "well"


@pytest.mark.parametrize(
    ("other", "severity", "sentence"),
    [
        ({"thinker": "degraded"}, "warning", "The thinker is degraded. It is so."),
        ({"speaker": "gone"}, "broken", "The speaker is gone. It is so."),
        ({"guardian": ""}, "broken", "The guardian has not said a word."),
        ({"watcher": ""}, "warning", "The watcher has not said a word."),
    ],
)
def test_a_service_that_is_unwell_is_named(other: dict[str, str], severity: str, sentence: str) -> None:
    found = bus.judge(states(**other), BOOT)
    assert (found.severity, found.sentence) == (severity, sentence)
    assert found.remedy


def test_a_conversation_by_keyboard_needs_no_ears() -> None:
    assert bus.judge(states(keyboard="ready", listener="gone", speaker="gone", watcher=""), BOOT).severity == "well"
    assert bus.judge(states(keyboard="gone"), BOOT).severity == "well"


def test_states_of_another_boot_are_only_memories() -> None:
    assert bus.judge(states(), "a-later-boot").severity == "broken"


def test_a_house_that_is_not_up_is_a_note(config: Config) -> None:
    assert bus.look(config).severity == "note"
    config.paths.run.mkdir()
    config.bus_socket.touch()
    assert bus.look(config).severity == "note"


def test_a_bus_whose_password_cannot_be_read_is_broken() -> None:
    with tempfile.TemporaryDirectory(prefix="beside-run-") as folder, socket.socket(socket.AF_UNIX) as listening:
        config = Config(paths=Paths(run=Path(folder)))
        listening.bind(str(config.bus_socket))
        listening.listen()
        found = bus.look(config)
        assert (found.severity, "password" in found.sentence) == ("broken", True)


# ---- programs, sound, camera -----------------------------------------------------------------------------------------


def test_missing_programs_are_named(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(broker, "SYSTEM_PROGRAMS", str(tmp_path))
    found = programs.look(config)
    assert found.severity == "broken"
    assert "mosquitto, mosquitto_passwd, flite" in found.sentence


def test_a_piper_voice_is_two_files(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
    voice = tmp_path / "voice.onnx"
    piper = config.model_copy(update={"speaker": Speaker(tts="piper", piper_voice=voice)})
    voice.touch()
    assert programs.look(piper).severity == "broken"
    Path(f"{voice}.json").touch()
    assert programs.look(piper).severity == "well"
    assert programs.look(config).severity == "well"


def library(*cards: tuple[int, int]) -> SimpleNamespace:
    """A sound library that knows these cards: channels to record, channels to play."""
    found = [{"name": f"card {i}", "max_input_channels": i_o[0], "max_output_channels": i_o[1]} for i, i_o in enumerate(cards)]

    def query_devices(name: Any = None, kind: str = "") -> Any:
        if name is None:
            return found
        match = [card for card in found if name == found.index(card) or name == card["name"]]
        if not match:
            raise ValueError(f"No device matching {name}")
        return match[0]

    return SimpleNamespace(query_devices=query_devices, PortAudioError=OSError)


@pytest.mark.parametrize(
    ("cards", "severity", "sentence"),
    [
        ([(1, 0), (0, 2)], "well", "Microphone and loudspeaker: connected."),
        ([(0, 2)], "broken", "No microphone is connected."),
        ([(1, 0)], "broken", "No loudspeaker is connected."),
        ([], "broken", "No microphone and no loudspeaker is connected."),
    ],
)
def test_sound_needs_a_card_each_way(
    config: Config, monkeypatch: pytest.MonkeyPatch, cards: list[tuple[int, int]], severity: str, sentence: str
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", library(*cards))
    assert (sound.look(config).severity, sound.look(config).sentence) == (severity, sentence)


@pytest.mark.parametrize(
    ("name", "severity"), [("card 0", "well"), ("0", "well"), ("card 1", "broken"), ("nosuch", "broken"), ("9", "broken")]
)
def test_a_named_card_must_be_the_one(config: Config, monkeypatch: pytest.MonkeyPatch, name: str, severity: str) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", library((0, 2), (1, 0)))
    named = config.model_copy(update={"listener": Ears(microphone="file:" + __file__), "speaker": Speaker(loudspeaker=f"card:{name}")})
    assert sound.look(named).severity == severity


def test_files_in_place_of_cards_are_a_note_if_they_are_there(config: Config) -> None:
    ears, mouth = Ears(microphone="file:" + __file__), Speaker(loudspeaker="file:out.wav")
    assert sound.look(config.model_copy(update={"listener": ears, "speaker": mouth})).severity == "note"
    gone = Ears(microphone="file:/nowhere.wav")
    assert sound.look(config.model_copy(update={"listener": gone, "speaker": mouth})).severity == "broken"


def test_a_machine_without_the_sound_library_is_broken(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "libportaudio2" in sound.look(config).remedy


@pytest.mark.parametrize(
    ("source", "severity"), [("off", "well"), ("card:97", "warning"), ("file:/nowhere.png", "warning"), (f"file:{__file__}", "well")]
)
def test_a_camera_is_wanted_or_not_and_there_or_not(config: Config, source: str, severity: str) -> None:
    assert camera.look(config.model_copy(update={"watcher": Watcher(camera=source)})).severity == severity


# ---- models, journal, disk, clock ------------------------------------------------------------------------------------


def row(trouble: str = "") -> dict[str, str]:
    return {"model": "minilm", "file": "minilm.safetensors", "trouble": trouble}


def test_models_are_whole_damaged_or_not_there() -> None:
    assert models.judge([row(), row()]).sentence == "1 models are whole."
    assert models.judge([]).severity == "broken"
    found = models.judge([row(), row("The file is cut off.")])
    assert (found.severity, found.sentence) == ("broken", "minilm: The file is cut off.")
    assert "beside models fetch minilm" in found.remedy


def test_a_language_model_that_is_not_there_is_named(config: Config, tmp_path: Path) -> None:
    lost = config.model_copy(update={"thinker": Thinker(model=str(tmp_path / "lost.gguf"))})
    assert "lost.gguf is not there" in models.look(lost).sentence


@pytest.mark.parametrize("answer", ["", "not json", "[]", "{}"])
def test_a_catalogue_that_talks_nonsense_is_broken(config: Config, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *args, **rest: SimpleNamespace(stdout=answer))
    named = config.model_copy(update={"thinker": Thinker(model="some-name")})
    assert models.look(named).sentence == "The models cannot be checked."


def test_a_journal_is_absent_whole_damaged_or_put_aside(config: Config) -> None:
    assert journal.look(config).severity == "note"
    config.state("recorder").mkdir(parents=True)
    path = config.state("recorder") / "journal.sqlite"
    with sqlite3.connect(path) as writing:
        writing.execute("CREATE TABLE turns (said TEXT)")
        writing.executemany("INSERT INTO turns VALUES (?)", [("x" * 500,)] * 500)
    writing.close()
    assert journal.look(config).severity == "well"
    (config.state("recorder") / "journal-damaged-20260101-000000-1.sqlite").touch()
    assert journal.look(config).severity == "warning"
    whole = path.read_bytes()
    path.write_bytes(whole[:5000] + os.urandom(3000) + whole[8000:])
    assert journal.look(config).severity == "broken"
    path.write_bytes(b"no journal at all")
    assert journal.look(config).severity == "broken"


@pytest.mark.parametrize(("free_mb", "severity"), [(50_000, "well"), (500, "warning"), (50, "broken")])
def test_a_disk_has_room_little_room_or_none(config: Config, monkeypatch: pytest.MonkeyPatch, free_mb: int, severity: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free_mb * 1_000_000))
    assert disk.look(config).severity == severity


def test_a_disk_that_cannot_be_looked_at_is_broken(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", refuse)
    assert disk.look(config).severity == "broken"


@pytest.mark.parametrize(("now_s", "severity"), [(0.0, "warning"), (4e9, "well")])
def test_a_clock_that_lost_its_battery_shows(config: Config, monkeypatch: pytest.MonkeyPatch, now_s: float, severity: str) -> None:
    monkeypatch.setattr(device_clock, "wall_s", lambda: now_s)
    assert clock.look(config).severity == severity


# ---- the report ------------------------------------------------------------------------------------------------------


def found(severity: Any) -> Check:
    return lambda config: Finding("code", "Title", severity, "It is so.", "Mend it.")


@pytest.mark.parametrize(("severities", "code"), [(["well", "note"], 0), (["well", "warning"], 1), (["broken", "warning", "well"], 2)])
def test_the_exit_code_is_that_of_the_worst(
    severities: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", tuple(found(s) for s in severities))
    assert doctor.main([]) == code
    assert capsys.readouterr().out.count("Title: It is so.") == len(severities)


def test_the_report_for_programs_is_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (found("warning"),))
    assert doctor.main(["--json"]) == 1
    assert json.loads(capsys.readouterr().out) == [
        {"code": "code", "title": "Title", "severity": "warning", "sentence": "It is so.", "remedy": "Mend it."}
    ]


def test_a_check_that_fails_is_a_finding_and_hides_no_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(config: Config) -> Finding:
        raise RuntimeError("with a secret inside")

    monkeypatch.setattr(doctor, "CHECKS", (fails, found("well")))
    assert doctor.main([]) == 2
    shown = capsys.readouterr().out
    assert "could not be checked (RuntimeError)" in shown
    assert "secret" not in shown
    assert "Title: It is so." in shown


def test_a_wrong_configuration_is_a_finding(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BESIDE_CONFIG", "/nowhere/at/all.yaml")
    assert doctor.main([]) == 2
    assert "There is no configuration" in capsys.readouterr().out


def test_every_check_has_a_code_of_its_own() -> None:
    codes = [room.CODE for room in (bus, programs, sound, camera, models, journal, disk, clock)]
    assert len(set(codes)) == len(codes) == len(doctor.CHECKS)
