"""Where the broker's program is looked for."""

from pathlib import Path

import pytest

from device import broker, cli
from device.config import Config, Paths
from device.errors import BusError
from device.house import House


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An ordinary user's PATH, and the folder of system programs that is not in it."""
    for name in ("bin", "sbin"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(broker, "SYSTEM_PROGRAMS", str(tmp_path / "sbin"))
    return tmp_path / "bin", tmp_path / "sbin"


def place(folder: Path) -> str:
    path = folder / "mosquitto"
    path.touch(mode=0o755)
    return str(path)


def test_the_broker_is_found_when_it_is_not_in_the_users_path(folders: tuple[Path, Path]) -> None:
    assert broker.program() is None
    found = place(folders[1])
    assert broker.program() == found


def test_the_users_own_broker_comes_first(folders: tuple[Path, Path]) -> None:
    place(folders[1])
    found = place(folders[0])
    assert broker.program() == found


def test_a_data_folder_that_cannot_be_made_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "letter").touch()
    config = Config(paths=Paths(data=tmp_path / "letter" / "data", run=tmp_path / "run"))
    monkeypatch.setattr(broker, "prepare", lambda config: None)
    with pytest.raises(BusError) as failed:
        House(config, tmp_path / "config.yaml")._prepare()
    assert failed.value.code == "folder-unusable"
    assert "data" in failed.value.sentence


def test_what_the_house_keeps_is_for_its_owners_eyes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(paths=Paths(data=tmp_path / "data", run=tmp_path))
    monkeypatch.setattr(broker, "prepare", lambda config: None)
    House(config, tmp_path / "config.yaml")._prepare()
    assert config.paths.data.stat().st_mode & 0o077 == 0


def test_a_full_disk_is_a_sentence_when_the_house_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(config: Config) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(broker, "prepare", full)
    with pytest.raises(BusError) as failed:
        House(Config(paths=Paths(data=tmp_path, run=tmp_path)), tmp_path / "config.yaml")._prepare()
    assert "No space left on device" in failed.value.sentence


def test_a_fault_of_the_program_is_a_sentence_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ValueError("words of the person")

    monkeypatch.setattr(cli, "load_config", broken)
    assert cli.main(["up"]) == 70
    told = capsys.readouterr().err
    assert "beside doctor" in told
    assert "Traceback" not in told
    assert "words of the person" not in told
