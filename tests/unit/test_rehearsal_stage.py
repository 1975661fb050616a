"""The stage: a rehearsal never touches the real journal, and empties only a folder that is its own."""

from pathlib import Path

import pytest

from device import config as config_module
from device.config import Config
from device.errors import InputError
from device.rehearsal.stage import Choices, derive, set_up


def test_derived_configuration_stands_apart_from_the_real_one(tmp_path: Path) -> None:
    made = derive(Config(), tmp_path / "journal", tmp_path / "run", Choices(camera=Path("face.png"), stt="vosk", tts="piper"))
    config = Config.model_validate(made)
    assert config.paths.data == tmp_path / "journal"
    assert config.bus_socket == tmp_path / "run" / "bus.sock"
    assert config.listener.microphone.startswith("air:")
    assert config.speaker.loudspeaker.startswith("air:")
    assert config.watcher.camera.endswith("/face.png")
    assert (config.listener.stt, config.speaker.tts) == ("vosk", "piper")


def test_camera_is_off_when_none_was_given(tmp_path: Path) -> None:
    base = Config.model_validate({"watcher": {"camera": "card"}})
    assert derive(base, tmp_path, tmp_path, Choices())["watcher"]["camera"] == "off"


def test_set_up_writes_a_configuration_that_loads_and_begins_without_memories(tmp_path: Path) -> None:
    first = set_up(Config(), tmp_path / "out", Choices())
    assert config_module.load(first.config_path) == first.config
    (first.config.paths.data / "old").touch()
    first.strike()
    assert not first.run.exists()
    second = set_up(Config(), tmp_path / "out", Choices())
    assert not (second.config.paths.data / "old").exists()
    second.strike()


def test_set_up_leaves_a_stranger_s_folder_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "journal" / "diary.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    with pytest.raises(InputError, match="--out"):
        set_up(Config(), tmp_path, Choices())
    assert theirs.read_text() == "mine"


def test_set_up_takes_away_what_an_earlier_rehearsal_left(tmp_path: Path) -> None:
    out = tmp_path / "out"
    set_up(Config(), out, Choices()).strike()
    results = [out / name for name in ("session.md", "emotions.txt", "turns.jsonl", "heard.wav", "talk.wav", "logs/watcher.log")]
    for path in [*results, out / "notes.txt"]:
        path.write_text("of yesterday")
    set_up(Config(), out, Choices()).strike()
    assert [path.name for path in results if path.exists()] == []
    assert (out / "notes.txt").read_text() == "of yesterday"


def test_set_up_overwrites_no_stranger_s_file_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "session.md").write_text("mine")
    with pytest.raises(InputError, match="--out"):
        set_up(Config(), tmp_path, Choices())
    assert (tmp_path / "session.md").read_text() == "mine"


def test_set_up_says_so_when_the_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        set_up(Config(), tmp_path / "file" / "out", Choices())
