"""Every microphone behind its one face: files of all kinds, the air of a rehearsal, and a sound card that is made up."""

import asyncio
import itertools
import struct
import sys
import types
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import clock
from device.audio import FRAME_NS, FRAME_SAMPLES, Frame, Microphone
from device.errors import DeviceError, InputError
from device.microphone import AirMicrophone, CardMicrophone, Chunker, FileMicrophone, open_microphone
from device.wav import read_wav


def write(path: Path, rate_hz: int = 16_000, channels: int = 1, width: int = 2, seconds: float = 0.2) -> Path:
    """A 300 Hz tone at half of full scale."""
    tone = 0.5 * np.sin(2 * np.pi * 300 * np.arange(int(rate_hz * seconds)) / rate_hz)
    whole = np.repeat(tone, channels)
    if width == 1:
        data = (whole * 127 + 128).astype(np.uint8).tobytes()
    elif width == 3:
        data = b"".join(int(value).to_bytes(3, "little", signed=True) for value in whole * (2**23 - 1))
    else:
        data = (whole * (2 ** (8 * width - 1) - 1)).astype(f"<i{width}").tobytes()
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate_hz)
        out.writeframes(data)
    return path


async def take(microphone: Microphone, count: int) -> list[Frame]:
    frames: list[Frame] = []
    async for frame in microphone.frames():
        frames.append(frame)
        if len(frames) == count:
            break
    await microphone.close()
    return frames


@pytest.mark.parametrize(("rate_hz", "channels", "width"), [(8000, 1, 2), (44_100, 2, 2), (16_000, 2, 3), (22_050, 1, 1), (48_000, 1, 4)])
def test_read_wav_when_rate_channels_and_depth_differ_gives_the_same_tone(tmp_path: Path, rate_hz: int, channels: int, width: int) -> None:
    pcm, rate = read_wav(write(tmp_path / "tone.wav", rate_hz, channels, width))
    assert rate == rate_hz
    assert pcm.size == int(rate_hz * 0.2)
    assert 16_000 < int(pcm.max()) < 16_700


def test_read_wav_when_float_and_extensible_is_read(tmp_path: Path) -> None:
    samples = np.array([0.0, 0.5, -0.5, 2.0, np.nan], "<f4").tobytes()
    shape = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 16_000, 64_000, 4, 32, 22, 32, 4) + struct.pack("<H", 3) + b"\0" * 14
    body = b"WAVEfmt " + struct.pack("<I", len(shape)) + shape + b"data" + struct.pack("<I", len(samples)) + samples
    (tmp_path / "float.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    pcm, _ = read_wav(tmp_path / "float.wav")
    assert pcm.tolist() == [0, 16384, -16384, 32767, 0]


def test_read_wav_when_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.wav")
    path.write_bytes(path.read_bytes()[:1001])
    assert read_wav(path)[0].size == (1001 - 44) // 2


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "wav-empty"), (b"OggS" + b"\0" * 100, "wav-not-wav"), (b"RIFF\0\0\0\0WAVE", "wav-broken"), (None, "wav-missing")],
)
def test_open_microphone_when_a_file_holds_no_sound_says_so(tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "x.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_microphone(f"file:{path}")
    assert caught.value.code == code
    assert caught.value.remedy


def test_open_microphone_when_header_has_no_samples_says_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no sound"):
        open_microphone(f"file:{write(tmp_path / 'none.wav', seconds=0.0)}")


@given(st.binary(max_size=200))
def test_read_wav_when_bytes_are_wild_never_breaks(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "wild.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + tail)
    try:
        pcm, rate_hz = read_wav(path)
    except InputError:
        return
    assert pcm.dtype == np.int16
    assert rate_hz >= 1000


@pytest.mark.parametrize("source", ["", "radio", "file:", "air:"])
def test_open_microphone_when_the_source_is_unknown_names_the_kinds(source: str) -> None:
    with pytest.raises(InputError, match="card:NAME"):
        open_microphone(source)


async def test_file_microphone_when_played_keeps_real_time_then_silence(tmp_path: Path) -> None:
    started_ns = clock.now_ns()
    frames = await take(FileMicrophone(write(tmp_path / "short.wav", rate_hz=8000, seconds=0.1)), 8)
    assert clock.now_ns() - started_ns >= 8 * FRAME_NS
    assert [b.at_ns - a.at_ns for a, b in itertools.pairwise(frames)] == [FRAME_NS] * 7
    assert all(frame.samples.size == FRAME_SAMPLES for frame in frames)
    assert frames[0].samples.any()
    assert not frames[-1].samples.any()


@given(st.lists(st.integers(0, 2000), max_size=20))
def test_chunker_when_blocks_have_any_length_loses_and_invents_nothing(lengths: list[int]) -> None:
    chunker, frames, total = Chunker(), [], 0
    for length in lengths:
        block = np.arange(total, total + length).astype(np.int16)
        total += length
        frames += chunker.push(block, total * 1_000_000_000 // 16_000)
    heard = np.concatenate([frame.samples for frame in frames]) if frames else np.zeros(0, np.int16)
    assert heard.tolist() == np.arange(total // FRAME_SAMPLES * FRAME_SAMPLES).astype(np.int16).tolist()
    assert all(abs(frame.at_ns - (number + 1) * FRAME_NS) <= 1 for number, frame in enumerate(frames))


async def test_air_microphone_when_chunks_come_gives_them_and_then_says_the_air_is_gone(tmp_path: Path) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(3):
            writer.write(struct.pack("<q", number * FRAME_NS) + np.full(FRAME_SAMPLES, number, "<i2").tobytes())
        writer.write(b"half a chunk")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(speak, str(tmp_path / "air"))
    microphone = AirMicrophone(tmp_path / "air")
    coming = microphone.frames()
    frames = [await anext(coming) for _ in range(3)]
    with pytest.raises(DeviceError) as caught:
        await anext(coming)
    assert caught.value.code == "microphone-lost"
    assert [(frame.at_ns, int(frame.samples[0])) for frame in frames] == [(0, 0), (FRAME_NS, 1), (2 * FRAME_NS, 2)]
    await microphone.close()
    server.close()


async def test_air_microphone_when_nobody_listens_says_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="beside rehearse"):
        await take(AirMicrophone(tmp_path / "none"), 1)


class MadeUpCard:
    """A stand-in for the sounddevice module: a card with one rate, that may be missing, busy or pulled out."""

    class PortAudioError(Exception):
        pass

    def __init__(self, rate_hz: int = 48_000, missing: bool = False, busy: bool = False, blocks: int = 50) -> None:
        self.rate_hz, self.missing, self.busy, self.blocks = rate_hz, missing, busy, blocks
        self.opened: list[int] = []

    def query_devices(self, _: str | None, __: str) -> dict[str, Any]:
        if self.missing:
            raise ValueError("no such device")
        return {"index": 3, "default_samplerate": float(self.rate_hz)}

    def RawInputStream(self, samplerate: int, blocksize: int, callback: Callable[..., None], **_: Any) -> Any:  # noqa: N802  # their name
        if self.busy or samplerate != self.rate_hz:
            raise self.PortAudioError("refused")
        self.opened.append(samplerate)
        times = types.SimpleNamespace(currentTime=1.0, inputBufferAdcTime=0.0)
        tone = (8000 * np.sin(2 * np.pi * 300 * np.arange(blocksize) / samplerate)).astype(np.int16).tobytes()

        def start() -> None:
            for _ in range(self.blocks):
                callback(tone, blocksize, times, types.SimpleNamespace(input_overflow=True))

        return types.SimpleNamespace(start=start, abort=lambda ignore_errors: None, close=lambda ignore_errors: None)


async def test_card_microphone_when_it_refuses_16_khz_is_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    card = MadeUpCard(rate_hz=48_000)
    monkeypatch.setitem(sys.modules, "sounddevice", card)  # type: ignore[arg-type]  # a stand-in
    microphone = CardMicrophone("")
    frames = await take(microphone, 40)
    assert card.opened == [48_000]
    assert microphone.overflows == 50
    assert all(frame.samples.size == FRAME_SAMPLES for frame in frames)
    assert 7000 < int(frames[20].samples.max()) < 9000


@pytest.mark.parametrize(("card", "code"), [(MadeUpCard(missing=True), "microphone-missing"), (MadeUpCard(busy=True), "microphone-busy")])
async def test_card_microphone_when_missing_or_busy_says_so(monkeypatch: pytest.MonkeyPatch, card: MadeUpCard, code: str) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", card)  # type: ignore[arg-type]  # a stand-in
    with pytest.raises(DeviceError) as caught:
        await take(CardMicrophone("desk"), 1)
    assert caught.value.code == code
    assert caught.value.remedy


async def test_card_microphone_when_pulled_out_says_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpCard(rate_hz=16_000, blocks=3))  # type: ignore[arg-type]  # a stand-in
    monkeypatch.setattr("device.microphone.SILENT_CARD_S", 0.05)
    with pytest.raises(DeviceError) as caught:
        await take(CardMicrophone(), 10)
    assert caught.value.code == "microphone-lost"


async def test_card_microphone_when_the_reader_is_late_counts_what_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", MadeUpCard(rate_hz=16_000, blocks=1100))  # type: ignore[arg-type]  # a stand-in
    microphone = CardMicrophone()
    frames = microphone.frames()
    await anext(frames)
    await asyncio.sleep(0)
    assert microphone.dropped_frames == 100
    await microphone.close()
