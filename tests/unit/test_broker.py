"""Where the broker's program is looked for."""

from pathlib import Path

import pytest

from device import broker


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
