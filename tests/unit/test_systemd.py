"""The units as text: what they name exists in the code under the same name, and what they promise is written in them."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from annotated_types import Ge, Le

from device import broker_watch
from device.config import ROOT, Companion, Config, Section, Watcher
from device.house import ENVIRONMENT
from services.flow import ACCOUNTS, SERVICES

UNITS = ROOT / "systemd"
APPLIANCE = [name for name in SERVICES if name != "keyboard"]  # a keyboard needs a person at a terminal
NEVER_GIVE_UP = {"bus", "guardian", "speaker", "recorder", "listener"}
BY_SYSTEMD = {"BESIDE_BOOT_ID": "%b"}  # `beside up` can read it itself

Settings = dict[str, list[str]]


def settings(path: Path) -> Settings:
    """Every assignment of one file, in order."""
    found: Settings = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def unit(name: str) -> Settings:
    return settings(UNITS / f"beside-{name}.service")


def test_every_service_has_its_unit_and_no_other_stands_there() -> None:
    assert {path.name for path in UNITS.glob("beside-*.service")} == {f"beside-{n}.service" for n in (*APPLIANCE, "bus", "accounts")}


@pytest.mark.parametrize("name", APPLIANCE)
def test_one_name_stands_in_five_places(name: str) -> None:
    text = unit(name)
    assert (ROOT / "services" / name / "__main__.py").is_file()
    assert text["ExecStart"] == [f"/opt/beside/current/.venv/bin/python -m services.{name} --config /etc/beside/config.yaml"]
    assert name in Config.model_fields
    assert name in ACCOUNTS
    assert text["LoadCredential"] == [f"bus-password:/run/beside/accounts/{name}"]
    assert text["StateDirectory"] == [f"beside/{name}"]
    assert Config().state(name).name == name
    assert text["User"] == [f"beside-{name}"]
    assert f"u beside-{name} " in (UNITS / "sysusers.conf").read_text()


def test_no_service_writes_beside_its_own_folder() -> None:
    """`paths.data` itself may be named only where the folder of each service is derived from it, or looked at as a whole."""
    allowed = {"config.py", "shelf.py", "house.py", "disk.py", "stage.py"}
    offenders = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("device", "services")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "paths.data" in line and path.name not in allowed
    ]
    assert offenders == []


def test_environment_is_that_of_the_house() -> None:
    said = settings(UNITS / "beside-.service.d" / "20-environment.conf")["Environment"]
    told = dict(pair.split("=", 1) for line in said for pair in line.split())
    assert told == ENVIRONMENT | BY_SYSTEMD


@pytest.mark.parametrize("name", APPLIANCE)
def test_unit_is_told_ready_watched_and_started_again(name: str) -> None:
    text = unit(name)
    assert text["Type"] == ["notify"]
    assert text["NotifyAccess"] == ["main"]
    assert text["Restart"] == ["always"]
    assert float(text["WatchdogSec"][0]) > 0
    assert text["PartOf"] == ["beside.target"]
    assert text["MemoryMax"]
    assert text["OOMScoreAdjust"]


def longest_pause_s(name: str) -> float:
    """The longest time between two proofs of work of a service that is well, from its own constants."""
    room = importlib.import_module(f"services.{name}.service")
    match name:
        case "listener":
            return float(room.NO_FRAME_S + room.REOPEN_S)
        case "watcher":
            return max(float(room.REOPEN_S), 1.0 / least(Watcher, "pictures_per_s"))
        case "speaker":
            return 2.0 * room.PROBE_S  # it looks once in a probe's time whether one is due
        case "thinker":
            return float(room.PROBE_S) + most(Companion, "reply_limit_ms") / 1000
        case _:
            return float(room.PROBE_S)


def least(section: type[Section], key: str) -> float:
    return next(float(bound.ge) for bound in section.model_fields[key].metadata if isinstance(bound, Ge))


def most(section: type[Section], key: str) -> float:
    return next(float(bound.le) for bound in section.model_fields[key].metadata if isinstance(bound, Le))


@pytest.mark.parametrize("name", APPLIANCE)
def test_watchdog_waits_longer_than_work_ever_pauses(name: str) -> None:
    assert float(unit(name)["WatchdogSec"][0]) >= 1.35 * longest_pause_s(name)  # a machine under load is late, not dead


def test_watchdog_of_the_bus_waits_for_more_than_one_answer() -> None:
    assert float(unit("bus")["WatchdogSec"][0]) >= 2 * (broker_watch.PROBE_S + broker_watch.ANSWER_S)


@pytest.mark.parametrize("name", [*APPLIANCE, "bus"])
def test_unit_that_may_give_up_has_a_timer_that_tries_again(name: str) -> None:
    text = unit(name)
    again = f"beside-again@{name}.timer" in " ".join(settings(UNITS / "beside.target")["Wants"])
    if name in NEVER_GIVE_UP:
        assert text["StartLimitIntervalSec"] == ["0"]
        assert not again
    else:
        assert text["StartLimitBurst"]
        assert again


@pytest.mark.parametrize("name", [*APPLIANCE, "bus"])
def test_no_unit_requires_another(name: str) -> None:
    """The thinker may die without end: not one other service goes with it."""
    assert not {"Requires", "Requisite", "BindsTo", "Upholds"} & set(unit(name))
    assert "beside-thinker.service" not in str(unit(name).get("After", "")) + str(unit(name).get("Wants", ""))


def test_guardian_and_speaker_come_before_all_others() -> None:
    for name in ("guardian", "speaker", "recorder"):
        assert unit(name)["After"] == ["beside-bus.service"]
    for name in ("companion", "listener", "thinker", "watcher"):
        assert {"beside-bus.service", "beside-guardian.service", "beside-speaker.service"} <= set(unit(name)["After"][0].split())


def test_target_wants_every_unit() -> None:
    wanted = set(" ".join(settings(UNITS / "beside.target")["Wants"]).split())
    assert {f"beside-{name}.service" for name in (*APPLIANCE, "bus")} <= wanted


def test_kernel_kills_the_guardian_last_and_the_thinker_before_it() -> None:
    score = {name: int(unit(name)["OOMScoreAdjust"][0]) for name in (*APPLIANCE, "bus")}
    assert max(score["guardian"], score["speaker"], score["bus"]) < min(score["recorder"], score["listener"], score["companion"])
    assert score["thinker"] > score["companion"]


def test_only_microphone_loudspeaker_and_camera_are_exceptions_from_the_sandbox() -> None:
    drop_ins = {path.parent.name.removesuffix(".service.d"): settings(path) for path in UNITS.glob("beside-?*.service.d/*.conf")}
    assert set(drop_ins) == {"beside-listener", "beside-speaker", "beside-watcher"}
    assert {text["DeviceAllow"][0] for text in drop_ins.values()} == {"char-alsa rw", "char-video4linux rw"}
    assert (UNITS / "modules-load.conf").read_text().split("\n")[-3:-1] == ["snd", "videodev"]  # else the classes are not known yet


def test_sandbox_is_not_repeated_in_a_unit() -> None:
    """A drop-in wins over the unit: what stands in both would be a lie in the unit."""
    shared = set(settings(UNITS / "beside-.service.d" / "10-sandbox.conf"))
    for path in UNITS.glob("beside-*.service"):
        assert not shared & set(settings(path)), path.name


def test_every_line_of_the_sandbox_stands_below_a_reason() -> None:
    """A comment, or a line that shares the comment of the line above it; a blank line ends that."""
    for path in [*UNITS.glob("*.d/*.conf"), UNITS / "tmpfiles.conf", UNITS / "sysusers.conf"]:
        explained = False
        for line in path.read_text(encoding="utf-8").splitlines():
            explained = bool(line) and (explained or line.startswith("#"))
            assert explained or not line or line.startswith("["), f"{path.name}: {line}"
            explained = explained and not line.startswith("[")


def test_preparing_says_in_one_sentence_that_the_folder_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "device.broker", "prepare", "--run", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
    assert "cannot be prepared" in done.stderr
