"""`beside try`: the camera is asked for first, and only where someone can answer."""

import sys
from pathlib import Path
from typing import Any

import pytest

from device import config as config_module
from device import trying
from device.config import Config


class Asked:
    """A terminal at which somebody gives one answer."""

    def __init__(self, answer: str, terminal: bool = True) -> None:
        self._answer, self._terminal = answer, terminal

    def isatty(self) -> bool:
        return self._terminal

    def readline(self, *_: Any) -> str:
        return self._answer


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "video0").touch()
    monkeypatch.setattr(trying, "CAMERAS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("answer", "allowed"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("maybe\n", False)])
def test_camera_is_used_only_after_a_clear_yes(camera: Path, monkeypatch: pytest.MonkeyPatch, answer: str, allowed: bool) -> None:
    monkeypatch.setattr(sys, "stdin", Asked(answer))
    assert trying.may_look(Config()) is allowed


def test_camera_stays_off_when_nobody_can_be_asked(camera: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Asked("y\n", terminal=False))
    assert trying.may_look(Config()) is False


def test_nothing_is_asked_when_there_is_no_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "CAMERAS", tmp_path)
    monkeypatch.setattr(sys, "stdin", Asked("y\n"))
    assert trying.may_look(Config()) is False


def test_camera_is_on_in_the_configuration_of_this_talk_only(tmp_path: Path) -> None:
    base = Config.model_validate({"paths": {"run": str(tmp_path / "run")}})
    config, path = trying.with_camera(base)
    assert config_module.load(path) == config
    assert config.watcher.camera == "card"
    assert base.watcher.camera == "off"
