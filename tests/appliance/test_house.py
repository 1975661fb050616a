"""The house with real processes: what dies is started again, what cannot live is left down, and nothing stays behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Never

import pytest
import yaml

from device import broker, clock
from device import config as config_module
from device.bus import Bus
from device.config import ROOT
from device.errors import BusError
from device.events import SpeechEnded, SpeechRequest, StateChanged
from device.house import House
from device.up import until_ready


async def states(bus: Bus[StateChanged, Never]) -> None: ...


async def asks(bus: Bus[SpeechEnded, SpeechRequest]) -> None: ...


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short name: a socket's path has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="beside-house-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def make(home: Path, services: tuple[str, ...] = ("speaker",), **speaker: object) -> tuple[House, list[str]]:
    path = home / "config.yaml"
    settings = {
        "paths": {"run": str(home / "run"), "data": str(home / "data"), "models": str(ROOT / "models" / "fetched")},
        "speaker": {"loudspeaker": f"file:{home / 'heard.wav'}"} | speaker,
    }
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    said: list[str] = []
    return House(config_module.load(path), path, services, said.append), said


async def ready(house: House) -> None:
    async with Bus(house.account("house"), states) as bus:
        await until_ready(house, bus)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: object, within_s: float = 10.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # processes have no event to wait for
            await asyncio.sleep(0.02)


async def test_a_killed_service_is_started_again_within_a_second(home: Path) -> None:
    house, said = make(home)
    async with house:
        keeper = asyncio.create_task(house.watch())
        await ready(house)
        first = house.processes["speaker"]
        first.kill()
        killed = time.monotonic()
        await until(lambda: house.processes["speaker"] is not first)
        assert time.monotonic() - killed < 1.0
        house.began_ns = clock.now_ns()
        await ready(house)
        assert any("killed by SIGKILL" in line for line in said)
        keeper.cancel()


async def test_a_service_that_cannot_live_is_left_down_with_its_own_last_words(home: Path) -> None:
    house, said = make(home, flite_voice="nosuch")
    async with house:
        keeper = asyncio.create_task(house.watch())
        await until(lambda: "speaker" in house.left_down, 60)
        assert "flite has no voice 'nosuch'" in said[-1]
        assert len(said) == 5
        assert "Traceback" not in (home / "run" / "speaker.log").read_text(encoding="utf-8")
        await ready(house)  # nobody is waited for in vain
        keeper.cancel()


async def test_a_wrong_configuration_is_not_tried_again(home: Path) -> None:
    house, said = make(home)
    (home / "config.yaml").write_text("speaker: {nonsense: 1}\n", encoding="utf-8")
    async with house:
        keeper = asyncio.create_task(house.watch())
        await until(lambda: "speaker" in house.left_down, 20)
        assert len(said) == 1
        assert "nonsense" in (home / "run" / "speaker.log").read_text(encoding="utf-8")
        keeper.cancel()


async def test_a_killed_broker_is_started_again_and_the_services_come_back_to_it(home: Path) -> None:
    house, _ = make(home)
    async with house:
        keeper = asyncio.create_task(house.watch())
        await ready(house)
        async with Bus(house.account("guardian"), asks) as guardian:
            await guardian.announce(StateChanged(service="guardian", state="ready"))
            speaker = house.processes["speaker"]
            house.processes["broker"].kill()
            await until(lambda: guardian.counters.reconnects > 0 and guardian.connected.is_set())
            await asyncio.sleep(1.5)  # the speaker comes back within its own last retry
            assert house.processes["speaker"] is speaker
            await guardian.say(SpeechRequest(index=0, text="Here again.", by="guardian", last=True))
            async with asyncio.timeout(10):
                async for event in guardian.hear():
                    assert event.heard_text == "Here again."
                    break
        keeper.cancel()


async def test_a_house_that_is_left_leaves_nothing_behind(home: Path) -> None:
    house, _ = make(home)
    async with house:
        pids = [process.pid for process in house.processes.values()]
        await ready(house)
    assert not any(alive(pid) for pid in pids)
    assert not (home / "run" / "bus.sock").exists()
    assert (home / "run").stat().st_mode & 0o777 == 0o700


async def test_a_second_house_in_the_same_folder_is_refused(home: Path) -> None:
    house, _ = make(home)
    async with house:
        with pytest.raises(BusError) as failed:
            async with make(home)[0]:
                pass
        assert failed.value.code == "already-running"
        await ready(house)


async def test_a_socket_left_by_a_killed_house_is_no_hindrance(home: Path) -> None:
    house, _ = make(home)
    async with house:
        await asyncio.to_thread(_leave_a_socket, home / "left.sock")
    (home / "left.sock").rename(home / "run" / "bus.sock")
    async with make(home)[0] as again:
        await ready(again)


def _leave_a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def test_a_house_killed_outright_leaves_no_orphan(home: Path) -> None:
    make(home)
    code = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from device import config
        from device.house import House
        async def main():
            path = Path({str(home / "config.yaml")!r})
            async with House(config.load(path), path, ("speaker",)) as house:
                keeper = asyncio.create_task(house.watch())
                first = house.processes["speaker"]
                first.kill()
                while house.processes["speaker"] is first:
                    await asyncio.sleep(0.05)
                print(*[p.pid for p in house.processes.values()], flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        try:
            assert all(alive(pid) for pid in pids)
            time.sleep(0.5)  # a death signal tied to a thread that has ended would have struck by now
            assert all(alive(pid) for pid in pids)
        finally:
            parent.kill()
        deadline = time.monotonic() + 5
        while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        left = [pid for pid in pids if alive(pid)]
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        assert left == []


def test_a_folder_that_others_use_is_not_closed_to_them(home: Path) -> None:
    shared = home / "run"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "letters.txt").write_text("private", encoding="ascii")
    with pytest.raises(BusError) as failed:
        broker.prepare(make(home)[0].config)
    assert failed.value.code == "run-folder-shared"
    assert shared.stat().st_mode & 0o777 == 0o755


def test_a_folder_with_too_long_a_name_is_refused(home: Path) -> None:
    with pytest.raises(BusError) as failed:
        broker.prepare(make(home)[0].config.model_copy(update={"paths": config_module.Paths(run=home / ("y" * 110))}))
    assert failed.value.code == "bus-path-too-long"


def test_a_machine_without_mosquitto_gets_a_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "program", lambda: None)
    with pytest.raises(BusError) as failed:
        broker.prepare(make(home)[0].config)
    assert failed.value.code == "broker-missing"
