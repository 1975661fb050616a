"""`beside try`: the camera is asked for first, and only where someone can answer."""

import sys
from pathlib import Path
from typing import Any

import pytest

from device import broker, trying
from device import config as config_module
from device.config import Config
from device.events import ConsentChanged, ConsentRequest


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


@pytest.mark.parametrize(
    ("answer", "allowed"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("maybe\n", False), ("", False)]
)
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


@pytest.mark.parametrize("before", ["card", "card:1"])
def test_no_means_no_in_this_talk_whatever_was_configured(tmp_path: Path, before: str) -> None:
    base = Config.model_validate({"paths": {"run": str(tmp_path / "run")}, "watcher": {"camera": before}})
    config, path = trying.with_camera(base, on=False)
    assert config.watcher.camera == "off"
    assert config_module.load(path) == config


def test_house_stands_in_the_folder_when_the_first_talk_has_a_camera(tmp_path: Path) -> None:
    base = Config.model_validate({"paths": {"run": str(tmp_path / "new" / "run")}})
    trying.with_camera(base)
    broker._make_folder(base.paths.run)  # refuses a folder that is open to others and holds other things


class Consents:
    """The bus as `ask_consent` sees it: what is in force, then what the recorder answers."""

    def __init__(self, in_force: bool) -> None:
        self._in_force = in_force
        self.said: list[ConsentRequest] = []

    async def say(self, request: ConsentRequest) -> None:
        self.said.append(request)

    async def hear(self) -> Any:
        yield ConsentChanged(camera=self._in_force, keep_emotions=False)
        yield ConsentChanged(camera=self.said[-1].given, keep_emotions=False)


@pytest.mark.parametrize(("in_force", "given", "changed"), [(False, True, True), (True, True, False), (True, False, True)])
async def test_consent_is_asked_for_only_when_it_is_not_in_force(in_force: bool, given: bool, changed: bool) -> None:
    bus: Any = Consents(in_force)
    assert await trying.ask_consent(bus, given) is changed
    assert [request.given for request in bus.said] == [given] * changed
