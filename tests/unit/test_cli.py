"""`beside`: the words, the help, the configuration anywhere, the exit codes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from device import cli
from device.config import ROOT, Config, Listener, Speaker


class BecameAnotherError(BaseException):
    """In place of `os.execv`, which never returns."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the process would have become."""
    command: list[str] = []

    def execv(program: str, args: list[str]) -> None:
        command.extend(args[1:])
        raise BecameAnotherError

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setenv("BESIDE_CONFIG", "")
    return command


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"], ["help"]])
def test_the_help_names_every_word(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(args) == 0
    shown = capsys.readouterr().out
    for word in ("up", "try", *cli.ROOMS):
        assert f"\n  {word} " in shown
    assert "not a medical device" in shown


@pytest.mark.parametrize(("word", "hint"), [("docter", "beside doctor"), ("tpa", "beside tap"), ("xyzzy", "Known words")])
def test_an_unknown_word_gets_a_hint(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([word]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["--config", "my.yaml", "sessions", "list", "--json"],
        ["sessions", "--config", "my.yaml", "list", "--json"],
        ["sessions", "list", "--json", "--config", "my.yaml"],
        ["sessions", "list", "--config=my.yaml", "--json"],
    ],
)
def test_the_configuration_may_stand_anywhere(args: list[str], became: list[str]) -> None:
    with pytest.raises(BecameAnotherError):
        cli.main(args)
    assert became == ["-m", "services.recorder", "sessions", "list", "--json"]
    assert os.environ["BESIDE_CONFIG"] == str(Path("my.yaml").absolute())


def test_after_two_dashes_everything_is_the_users_own(became: list[str]) -> None:
    with pytest.raises(BecameAnotherError):
        cli.main(["guard", "--", "--config", "hurts"])
    assert became == ["-m", "services.guardian", "judge", "--", "--config", "hurts"]


@pytest.mark.parametrize("args", [["up", "--config"], ["--config=", "up"]])
def test_a_configuration_without_a_name_is_a_mistake(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(args) == 65
    assert "--config needs the name of a file" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["up", "try"])
def test_up_and_try_explain_themselves_and_refuse_strange_options(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([word, "--help"])
    assert ended.value.code == 0
    assert f"beside {word}" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main([word, "--loud"])
    assert ended.value.code == 2
    assert "--loud" in capsys.readouterr().err


def test_a_missing_configuration_has_its_exit_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BESIDE_CONFIG", "")
    assert cli.main(["--config", "/nowhere/at/all.yaml", "up"]) == 78
    assert "There is no configuration at /nowhere/at/all.yaml" in capsys.readouterr().err


def test_try_without_sound_is_a_rehearsal(became: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "_has_sound", lambda config: False)
    with pytest.raises(BecameAnotherError):
        cli.main(["--config", str(ROOT / "config.yaml"), "try"])
    assert became == ["-m", "device.rehearsal", "--example"]
    assert "this is a rehearsal" in capsys.readouterr().out


class PortAudioError(Exception): ...


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ([], False),
        ([{"max_input_channels": 2, "max_output_channels": 0}], False),
        ([{"max_input_channels": 1, "max_output_channels": 0}, {"max_input_channels": 0, "max_output_channels": 2}], True),
        (PortAudioError("no host"), False),
    ],
)
def test_sound_is_there_when_one_card_records_and_one_plays(devices: Any, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        PortAudioError = PortAudioError

        @staticmethod
        def query_devices() -> Any:
            if isinstance(devices, Exception):
                raise devices
            return devices

    monkeypatch.setitem(sys.modules, "sounddevice", Library)
    assert cli._has_sound(Config()) is expected


def test_without_the_sound_library_there_is_no_sound_but_files_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert cli._has_sound(Config()) is False
    files = Config(listener=Listener(microphone="file:a.wav"), speaker=Speaker(loudspeaker="file:b.wav"))
    assert cli._has_sound(files) is True


@pytest.mark.parametrize("word", list(cli.ROOMS))
def test_every_word_explains_itself(word: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "device.cli", word, "--help"], capture_output=True, text=True, cwd=ROOT, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: beside {word}")
    assert "Traceback" not in done.stderr


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("beside 0.")
