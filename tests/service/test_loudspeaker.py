"""The loudspeakers: a file, the air of a rehearsal, and a sound card (played by a stand-in for PortAudio)."""

import asyncio
import socket
import sys
import threading
import time
import types
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.audio import RATE_HZ, Played
from device.clock import now_ns
from device.errors import BesideError, DeviceError, InputError
from device.loudspeaker import CHUNK, CardLoudspeaker, faded, open_loudspeaker
from tests.fakes import tone


def untold(first_sample_ns: int) -> None: ...


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


async def test_a_file_holds_what_was_played_and_silence_where_nothing_was(tmp_path: Path) -> None:
    path = tmp_path / "out" / "heard.wav"
    loudspeaker = open_loudspeaker(f"file:{path}")
    await loudspeaker.play(tone(200), RATE_HZ, untold)
    await asyncio.sleep(0.3)
    await loudspeaker.play(tone(100), RATE_HZ, untold)
    await loudspeaker.close()
    pcm = read(path)
    loud = np.abs(pcm) > 0
    assert 1000 * pcm.size // RATE_HZ == pytest.approx(600, abs=80)
    assert pcm[: 190 * 16].std() > 1000
    assert not loud[210 * 16 : 450 * 16].any()
    assert pcm[-90 * 16 :].std() > 1000


async def test_clauses_that_follow_each_other_have_no_gap_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    loudspeaker = open_loudspeaker(f"file:{path}")
    for _ in range(4):
        await loudspeaker.play(np.full(RATE_HZ // 10, 1000, np.int16), RATE_HZ, untold)
    await loudspeaker.close()
    assert read(path).size == 4 * RATE_HZ // 10


async def test_playing_takes_as_long_as_the_sound(tmp_path: Path) -> None:
    loudspeaker = open_loudspeaker(f"file:{tmp_path / 'heard.wav'}")
    begin = now_ns()
    played = await loudspeaker.play(tone(400), RATE_HZ, untold)
    assert (now_ns() - begin) / 1e6 == pytest.approx(400, abs=60)
    assert played == Played(400 * 16, played.first_sample_ns, False)
    await loudspeaker.close()


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100])
async def test_a_whole_clause_counts_as_whole_at_any_rate(tmp_path: Path, rate_hz: int) -> None:
    loudspeaker = open_loudspeaker(f"file:{tmp_path / 'heard.wav'}")
    sound = tone(107, rate_hz)
    assert (await loudspeaker.play(sound, rate_hz, untold)).samples == sound.size
    await loudspeaker.close()
    assert 1000 * read(tmp_path / "heard.wav").size / RATE_HZ == pytest.approx(107, abs=2)


async def test_a_stop_silences_within_a_tenth_of_a_second_and_does_not_click(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    loudspeaker = open_loudspeaker(f"file:{path}")
    playing = asyncio.create_task(loudspeaker.play(np.full(3 * RATE_HZ, 12_000, np.int16), RATE_HZ, untold))
    await asyncio.sleep(0.5)
    stopped = now_ns()
    loudspeaker.stop()
    played = await playing
    assert (now_ns() - stopped) / 1e6 < 60
    assert played.interrupted
    assert 1000 * played.samples / RATE_HZ == pytest.approx(510, abs=60)
    await loudspeaker.close()
    pcm = read(path).astype(int)
    assert pcm.size - played.samples <= CHUNK
    assert np.abs(np.diff(pcm)).max() < 100
    assert abs(pcm[-1]) < 100


async def test_a_stop_before_a_clause_does_not_hold_it_back(tmp_path: Path) -> None:
    loudspeaker = open_loudspeaker(f"file:{tmp_path / 'heard.wav'}")
    loudspeaker.stop()
    assert not (await loudspeaker.play(tone(50), RATE_HZ, untold)).interrupted
    await loudspeaker.close()


async def test_nothing_to_play_is_played_at_once(tmp_path: Path) -> None:
    loudspeaker = open_loudspeaker(f"file:{tmp_path / 'heard.wav'}")
    told: list[int] = []
    assert (await loudspeaker.play(np.zeros(0, np.int16), RATE_HZ, told.append)).samples == 0
    assert told == []
    await loudspeaker.close()


async def test_the_air_receives_the_samples_in_real_time() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="beside-air-") as folder, socket.socket(socket.AF_UNIX) as listening:
        path = str(Path(folder) / "air")
        listening.bind(path)
        listening.listen()
        loudspeaker = open_loudspeaker(f"air:{path}")
        far, _ = listening.accept()
        with far:
            sound = tone(200)
            await loudspeaker.play(sound, RATE_HZ, untold)
            await loudspeaker.close()
            received = b""
            while part := far.recv(65536):
                received += part
        assert received == sound.tobytes()


async def test_an_air_that_goes_away_is_a_lost_loudspeaker() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="beside-air-") as folder, socket.socket(socket.AF_UNIX) as listening:
        path = str(Path(folder) / "air")
        listening.bind(path)
        listening.listen()
        loudspeaker = open_loudspeaker(f"air:{path}")
        far, _ = listening.accept()
        far.close()
        with pytest.raises(DeviceError) as failed:
            await loudspeaker.play(tone(500), RATE_HZ, untold)
        assert failed.value.code == "loudspeaker-lost"
        await loudspeaker.close()


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "loudspeaker-unknown"),
        ("trumpet", "loudspeaker-unknown"),
        ("file:", "loudspeaker-unknown"),
        ("air:/nowhere/at/all", "air-missing"),
        ("file:/proc/nowhere/x.wav", "loudspeaker-file"),
        ("file:/", "loudspeaker-file"),
    ],
)
def test_a_loudspeaker_that_cannot_be_had_gets_a_sentence_and_a_remedy(source: str, code: str) -> None:
    with pytest.raises(BesideError) as failed:
        open_loudspeaker(source)
    assert failed.value.code == code
    assert failed.value.sentence
    assert failed.value.remedy


def test_a_fade_falls_to_zero() -> None:
    assert faded(np.full(320, 1000, np.int16))[[0, -1]].tolist() == [1000, 0]


# ---- a sound card ----------------------------------------------------------------------------------------------------


class PortAudioError(Exception): ...


class Stream:
    """What PortAudio does with a callback: asks it for a block every 20 ms, in a thread of its own."""

    made: list["Stream"] = []

    def __init__(self, samplerate: int, blocksize: int, callback: Any, device: Any, **rest: Any) -> None:
        if samplerate not in Card.rates or device == "missing":
            raise PortAudioError("Invalid sample rate")
        self.rate_hz, self._size, self._callback = samplerate, blocksize, callback
        self.active = True
        self.out: list[np.ndarray] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        Stream.made.append(self)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        begin, blocks = time.monotonic(), 0
        while self.active:
            block = np.ones((self._size, 1), np.int16)
            self._callback(block, self._size, types.SimpleNamespace(outputBufferDacTime=0.01, currentTime=0.0), None)
            self.out.append(block[:, 0])
            blocks += 1
            time.sleep(max(begin + blocks * self._size / self.rate_hz - time.monotonic(), 0))

    def close(self) -> None:
        self.active = False
        self._thread.join()

    def sound(self) -> np.ndarray:
        pcm = np.concatenate(self.out)
        loud = np.flatnonzero(pcm)
        return pcm[loud[0] : loud[-1] + 1] if loud.size else pcm[:0]


class Card:
    rates: tuple[int, ...] = (16_000, 48_000)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> type[Card]:
    module = types.ModuleType("sounddevice")
    module.PortAudioError = PortAudioError  # type: ignore[attr-defined]  # a stand-in module is filled by hand
    module.OutputStream = Stream  # type: ignore[attr-defined]

    def query_devices(device: Any, kind: str) -> dict[str, Any]:
        if device == "missing":
            raise ValueError("No output device matching 'missing'")
        return {"default_samplerate": 48000.0}

    module.query_devices = query_devices  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(Card, "rates", (16_000, 48_000))
    return Card


async def test_a_card_plays_every_sample_and_tells_when_it_began(card: type[Card]) -> None:
    loudspeaker = CardLoudspeaker(None)
    told: list[int] = []
    begin = now_ns()
    played = await loudspeaker.play(np.full(RATE_HZ // 4, 500, np.int16), RATE_HZ, told.append)
    await loudspeaker.close()
    assert played.samples == RATE_HZ // 4
    assert not played.interrupted
    assert len(told) == 1
    assert 10 <= (told[0] - begin) / 1e6 < 80
    assert Stream.made[-1].sound().tolist() == [500] * (RATE_HZ // 4)


async def test_a_card_that_refuses_16_khz_gets_its_own_rate(card: type[Card]) -> None:
    card.rates = (48_000,)
    loudspeaker = CardLoudspeaker(None)
    played = await loudspeaker.play(tone(200), RATE_HZ, untold)
    await loudspeaker.close()
    assert played.samples == 200 * 16
    assert 1000 * Stream.made[-1].sound().size / 48_000 == pytest.approx(200, abs=5)


async def test_a_card_falls_silent_soon_and_without_a_click(card: type[Card]) -> None:
    loudspeaker = CardLoudspeaker(None)
    playing = asyncio.create_task(loudspeaker.play(np.full(3 * RATE_HZ, 12_000, np.int16), RATE_HZ, untold))
    await asyncio.sleep(0.3)
    stopped = now_ns()
    loudspeaker.stop()
    played = await playing
    assert (now_ns() - stopped) / 1e6 < 100
    await loudspeaker.close()
    sound = Stream.made[-1].sound().astype(int)
    assert played.interrupted
    assert sound.size - played.samples <= CHUNK
    assert abs(sound[-1]) < 200
    assert np.abs(np.diff(sound)).max() < 200


async def test_a_card_pulled_out_in_mid_clause_is_a_lost_loudspeaker(card: type[Card]) -> None:
    loudspeaker = CardLoudspeaker(None)
    playing = asyncio.create_task(loudspeaker.play(tone(5000), RATE_HZ, untold))
    await asyncio.sleep(0.1)
    await loudspeaker.close()
    with pytest.raises(DeviceError) as failed:
        await playing
    assert failed.value.code == "loudspeaker-lost"


@pytest.mark.parametrize(("name", "rates"), [("missing", (16_000,)), (None, ())])
def test_a_card_that_is_not_there_is_named_with_what_helps(card: type[Card], name: str | None, rates: tuple[int, ...]) -> None:
    card.rates = rates
    with pytest.raises(DeviceError) as failed:
        CardLoudspeaker(name)
    assert failed.value.code == "loudspeaker-missing"
    assert "doctor" in failed.value.remedy


def test_a_machine_without_the_sound_library_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DeviceError) as failed:
        open_loudspeaker("card")
    assert failed.value.code == "sound-library-missing"


def test_an_unknown_loudspeaker_is_the_users_mistake() -> None:
    with pytest.raises(InputError):
        open_loudspeaker("radio:1")
