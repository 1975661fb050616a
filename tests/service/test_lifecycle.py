"""A service as a process: exit codes, last words, signals, the supervisor's socket, the password's two homes."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Never

import pytest

from device.bus import Bus, leave_word
from device.config import ROOT, Config
from device.errors import BusError, EngineError
from device.events import SessionOpened, StateChanged
from device.lifecycle import Life, notify_systemd, place_of, trouble_of

CANARY = "i want to see my daughter marguerite"


async def states(bus: Bus[StateChanged, Never]) -> None: ...


async def talks(bus: Bus[SessionOpened, Never]) -> None: ...


async def opens(bus: Bus[Never, SessionOpened]) -> None: ...


def config_for(broker: Any, folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(f"paths:\n  run: {broker.run}\n  data: {folder}\n", encoding="utf-8")
    return path


def program(body: str) -> str:
    """A service's `__main__` with this wiring."""
    head = f"""
        import asyncio, sys, threading, time
        from typing import Never
        from device import lifecycle
        from device.bus import Bus
        from device.errors import *
        WORDS = {CANARY!r}
        async def work(bus: Bus[Never, Never]) -> None: ...
    """
    return textwrap.dedent(head) + textwrap.dedent(body) + "\nlifecycle.main('speaker', wire)\n"


def run(body: str, config: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program(body), "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, env=dict(os.environ) | environment, check=False)


async def state_of(broker: Any, service: str) -> StateChanged:
    async with Bus(broker.account("tap"), states) as bus, asyncio.timeout(5):
        async for event in bus.hear():
            if event.service == service:
                return event
    raise AssertionError


@pytest.mark.parametrize(
    ("kind", "code"),
    [("ConfigError", 78), ("BusError", 69), ("EngineError", 70), ("DeviceError", 74), ("InputError", 65), ("JournalError", 73)],
)
async def test_an_error_ends_the_service_with_its_code_and_leaves_its_sentence(broker: Any, tmp_path: Path, kind: str, code: int) -> None:
    body = f"async def wire(life): raise {kind}('it-broke', 'It broke.', 'Mend it.')"
    done = await asyncio.to_thread(run, body, config_for(broker, tmp_path))
    assert done.returncode == code
    assert "It broke. Mend it." in done.stderr
    assert "Traceback" not in done.stderr
    state = await state_of(broker, "speaker")
    assert (state.state, state.code, state.sentence, state.remedy) == ("gone", "it-broke", "It broke.", "Mend it.")


async def test_an_error_inside_a_task_group_of_a_ready_service_is_told_too(broker: Any, tmp_path: Path) -> None:
    body = """
        async def fail(): raise DeviceError('lost', 'It was lost.', 'Find it.')
        async def wire(life):
            async with life.bus(work) as bus:
                await life.ready(bus)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(fail())
                    tasks.create_task(asyncio.sleep(9))
    """
    done = await asyncio.to_thread(run, body, config_for(broker, tmp_path))
    assert done.returncode == 74
    state = await state_of(broker, "speaker")
    assert (state.state, state.code) == ("gone", "lost")


async def test_a_fault_names_class_and_place_but_none_of_the_persons_words(broker: Any, tmp_path: Path) -> None:
    body = """
        async def stray(): raise RuntimeError(WORDS)
        def thread(): raise OSError(WORDS)
        async def wire(life):
            asyncio.ensure_future(stray())
            threading.Thread(target=thread).start()
            await asyncio.sleep(0.2)
            import gc; gc.collect()
            {}[WORDS]
    """
    done = await asyncio.to_thread(run, body, config_for(broker, tmp_path))
    assert done.returncode == 70
    for place in ("KeyError at", "RuntimeError at", "OSError at", "in wire", "in stray", "in thread"):
        assert place in done.stderr
    assert "marguerite" not in done.stderr
    assert "Traceback" not in done.stderr
    assert (await state_of(broker, "speaker")).code == "crashed"


def test_without_a_bus_the_error_still_has_its_code(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"paths:\n  run: {tmp_path}\n", encoding="utf-8")
    done = run("async def wire(life): raise DeviceError('it-broke', 'It broke.')", path)
    assert done.returncode == 74
    assert "Traceback" not in done.stderr


def test_a_wrong_configuration_ends_with_78_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("speaker: {loud: yes}\n", encoding="utf-8")
    done = run("async def wire(life): pass", path)
    assert done.returncode == 78
    assert "loud" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loading", ["await asyncio.sleep(9)", "time.sleep(0.7)"])
async def test_a_signal_during_start_up_ends_the_service_in_order(
    broker: Any, tmp_path: Path, number: signal.Signals, loading: str
) -> None:
    body = f"""
        async def wire(life):
            print("loading", flush=True)
            {loading}
            async with life.bus(work) as bus:
                await life.ready(bus)
                await asyncio.sleep(9)
    """
    command = [sys.executable, "-c", program(body), "--config", str(config_for(broker, tmp_path))]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"loading\n"
    process.send_signal(number)
    _, complaints = await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 0
    assert b"Traceback" not in complaints


async def test_a_last_word_takes_nothing_from_a_durable_account(broker: Any) -> None:
    recorder = broker.account("recorder", durable=True)
    async with Bus(recorder, talks):
        pass
    async with Bus(broker.account("companion"), opens) as companion:
        for name in ("Ann", "Bob", "Cy"):
            await companion.say(SessionOpened(who=name))
    await leave_word(recorder, StateChanged(service="recorder", state="gone", code="it-broke"))
    heard = []
    async with Bus(recorder, talks) as bus, asyncio.timeout(5):
        async for event in bus.hear():
            heard.append(event.who)
            if len(heard) == 3:
                break
    assert heard == ["Ann", "Bob", "Cy"]


# ---- the supervisor's socket -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("abstract", [False, True])
def test_the_supervisor_receives_what_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, abstract: bool) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(f"\0beside-test-{os.getpid()}" if abstract else str(tmp_path / "notify"))
        supervisor.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@beside-test-{os.getpid()}" if abstract else str(tmp_path / "notify"))
        notify_systemd("READY=1")
        Life("speaker", Config()).worked()
        assert supervisor.recv(100) == b"READY=1"
        assert supervisor.recv(100) == b"WATCHDOG=1"


def test_a_supervisor_that_does_not_listen_is_logged_and_endured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with caplog.at_level(logging.WARNING):
        notify_systemd("READY=1")
    assert "READY" in caplog.text


async def test_a_service_tells_its_supervisor_ready_and_stopping(broker: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(5)
        body = """
            async def wire(life):
                async with life.bus(work) as bus:
                    await life.ready(bus)
        """
        done = await asyncio.to_thread(run, body, config_for(broker, tmp_path), NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert done.returncode == 0
        assert supervisor.recv(100) == b"READY=1"
        assert supervisor.recv(100) == b"STOPPING=1"
    state = await state_of(broker, "speaker")
    assert (state.state, state.code) == ("gone", "stopped")


# ---- the password ----------------------------------------------------------------------------------------------------


def test_the_password_comes_from_the_credentials_folder_if_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bus-password").write_text("secret\n", encoding="ascii")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    account = Life("speaker", Config()).account()
    assert (account.name, account.password) == ("speaker", "secret")
    assert "secret" not in repr(account)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_that_cannot_be_read_gets_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "bus-password").write_bytes(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(BusError) as failed:
        Life("speaker", Config()).account()
    assert failed.value.code == "bus-password-missing"


def test_our_own_error_is_found_in_nested_groups() -> None:
    ours = EngineError("it-broke", "It broke.")
    assert trouble_of(ExceptionGroup("a", [ValueError(CANARY), ExceptionGroup("b", [ours])]), "speaker") is ours


def test_a_place_has_no_words() -> None:
    with pytest.raises(ValueError, match="marguerite") as failed:
        int(CANARY)
    assert place_of(failed.value).startswith("ValueError at tests/service/test_lifecycle.py:")
    assert "marguerite" not in place_of(failed.value)


async def test_service_is_starting_from_its_first_word_until_it_is_ready(broker: Any, tmp_path: Path) -> None:
    life = Life("speaker", Config.model_validate({"paths": {"run": broker.run, "data": tmp_path}}))
    async with life.bus(opens) as bus:
        assert (await state_of(broker, "speaker")).state == "starting"
        await life.ready(bus)
        assert (await state_of(broker, "speaker")).state == "ready"
    assert (await state_of(broker, "speaker")).state == "gone"
