"""The microphone: a sound card, a file played in real time, or the air of a rehearsal, all behind one face.

`open_microphone(source)` checks what can be checked at once; `frames()` then runs until the device goes away (DeviceError)
or `close()`. A reader that comes late finds the frames waiting; beyond half a minute they are dropped, and counted.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np

from device import clock
from device.audio import FRAME_NS, FRAME_SAMPLES, RATE_HZ, Frame, Microphone, Pcm
from device.errors import DeviceError, InputError
from device.wav import read_wav

WAITING_FRAMES = 1000  # 32 s that a busy reader may be behind
SILENT_CARD_S = 2.0  # a card that gives no sound for this long has been unplugged
_AIR_HEADER = struct.Struct("<q")  # monotonic ns of the chunk's last sample


def open_microphone(source: str) -> Microphone:
    """`card`, `card:NAME`, `file:PATH` or `air:SOCKET`. InputError for a file that holds no sound or an unknown source."""
    kind, _, rest = source.partition(":")
    if kind == "card":
        return CardMicrophone(rest)
    if kind == "file" and rest:
        return FileMicrophone(Path(rest))
    if kind == "air" and rest:
        return AirMicrophone(Path(rest))
    raise InputError(
        "microphone-unknown", f"Beside does not know the microphone '{source}'.", "Use card, card:NAME, file:PATH or air:SOCKET."
    )


class Chunker:
    """Cuts blocks of any length into frames, and gives each the time of its last sample."""

    def __init__(self) -> None:
        self._rest: Pcm = np.zeros(0, np.int16)

    def push(self, block: Pcm, end_ns: int) -> list[Frame]:
        """`end_ns`: monotonic time of the block's last sample."""
        samples = np.concatenate((self._rest, block))
        whole = samples.size // FRAME_SAMPLES
        self._rest = samples[whole * FRAME_SAMPLES :]
        ends = [(k + 1) * FRAME_SAMPLES for k in range(whole)]
        return [Frame(samples[end - FRAME_SAMPLES : end], end_ns - (samples.size - end) * 1_000_000_000 // RATE_HZ) for end in ends]


class FileMicrophone:
    """A recording in the microphone's place: played in real time, then silence for ever."""

    def __init__(self, path: Path) -> None:
        self.name = f"file {path.name}"
        self.dropped_frames = 0
        pcm, rate_hz = read_wav(path)
        self._pcm = to_16_khz(pcm, rate_hz)

    async def frames(self) -> AsyncIterator[Frame]:
        started_ns = clock.now_ns()
        silence = np.zeros(FRAME_SAMPLES, np.int16)
        number = 0
        while True:
            end_ns = started_ns + (number + 1) * FRAME_NS
            await asyncio.sleep(max(0.0, (end_ns - clock.now_ns()) / 1e9))
            samples = self._pcm[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES]
            if samples.size < FRAME_SAMPLES:
                samples = np.concatenate((samples, silence[samples.size :])) if samples.size else silence
            yield Frame(samples, end_ns)
            number += 1

    async def close(self) -> None:
        self._pcm = self._pcm[:0]


class AirMicrophone:
    """The air of a rehearsal: a Unix stream of chunks, each 8 bytes of time (little-endian ns) and 512 samples."""

    def __init__(self, path: Path) -> None:
        self.name = f"air {path}"
        self.dropped_frames = 0
        self._path = path
        self._writer: asyncio.StreamWriter | None = None

    async def frames(self) -> AsyncIterator[Frame]:
        try:
            reader, self._writer = await asyncio.open_unix_connection(str(self._path))
        except OSError as error:
            raise DeviceError("air-missing", f"No rehearsal is listening at {self._path}.", "Start it with: beside rehearse") from error
        while True:
            try:
                chunk = await reader.readexactly(_AIR_HEADER.size + 2 * FRAME_SAMPLES)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise DeviceError("microphone-lost", "The rehearsal's air has gone.", "Start it again with: beside rehearse") from error
            yield Frame(np.frombuffer(chunk, "<i2", offset=_AIR_HEADER.size).astype(np.int16), _AIR_HEADER.unpack_from(chunk)[0])

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class CardMicrophone:
    """A sound card through PortAudio; at its own rate, resampled as a stream, where it refuses 16 kHz."""

    def __init__(self, wanted: str = "") -> None:
        self.name = f"card {wanted or 'default'}"
        self.dropped_frames = 0
        self.overflows = 0  # times the card itself lost sound because the machine was too slow
        self._wanted = wanted
        self._stream: Any = None
        self._chunker = Chunker()
        self._waiting: asyncio.Queue[Frame] = asyncio.Queue(WAITING_FRAMES)

    async def frames(self) -> AsyncIterator[Frame]:
        self._open(asyncio.get_running_loop())
        while True:
            try:
                async with asyncio.timeout(SILENT_CARD_S):
                    frame = await self._waiting.get()
            except TimeoutError as error:
                raise DeviceError(
                    "microphone-lost", "The microphone has stopped giving sound.", "Check its plug; Beside listens again once it is back."
                ) from error
            yield frame

    async def close(self) -> None:
        if self._stream is not None:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
            self._stream = None

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        portaudio = _portaudio()
        number, card_rate_hz = self._find(portaudio)
        refusal: Exception | None = None
        for rate_hz in dict.fromkeys((RATE_HZ, card_rate_hz)):
            resampler = None if rate_hz == RATE_HZ else _Resampler(rate_hz)

            def heard(
                data: Any, count: int, time: Any, status: Any, rate_hz: int = rate_hz, resampler: _Resampler | None = resampler
            ) -> None:
                end_ns = _end_of_block_ns(time, count, rate_hz)
                block = np.frombuffer(bytes(data), np.int16)  # PortAudio's thread: copy, and leave the rest to the loop
                loop.call_soon_threadsafe(self._arrived, block, end_ns, bool(status and status.input_overflow), resampler)

            try:
                self._stream = portaudio.RawInputStream(
                    samplerate=rate_hz, device=number, channels=1, dtype="int16", blocksize=rate_hz * 32 // 1000, callback=heard
                )
                self._stream.start()
            except portaudio.PortAudioError as error:
                await_close, self._stream = self._stream, None
                if await_close is not None:
                    await_close.close(ignore_errors=True)
                refusal = error
            else:
                return
        raise DeviceError(
            "microphone-busy",
            f"The microphone ({self.name}) cannot be opened.",
            "Close other programs that record, or choose another: listener.microphone",
        ) from refusal

    def _find(self, portaudio: Any) -> tuple[int, int]:
        """The card's number and own rate in Hz."""
        try:
            found = portaudio.query_devices(self._wanted or None, "input")
        except (portaudio.PortAudioError, ValueError) as error:
            which = f"called '{self._wanted}' " if self._wanted else ""
            raise DeviceError(
                "microphone-missing", f"No microphone {which}was found.", "Plug one in, or name it in config.yaml: listener.microphone"
            ) from error
        return int(found["index"]), int(found["default_samplerate"])

    def _arrived(self, block: Pcm, end_ns: int, overflowed: bool, resampler: "_Resampler | None") -> None:
        self.overflows += overflowed
        samples = resampler.push(block) if resampler else block
        for frame in self._chunker.push(samples, end_ns):
            if self._waiting.full():
                self._waiting.get_nowait()  # the oldest is worth the least
                self.dropped_frames += 1
            self._waiting.put_nowait(frame)


class _Resampler:
    """A running conversion to 16 kHz; its delay of a few milliseconds is part of the card's."""

    def __init__(self, rate_hz: int) -> None:
        import soxr

        self._stream = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="int16")

    def push(self, block: Pcm) -> Pcm:
        return np.asarray(self._stream.resample_chunk(block), np.int16)


def to_16_khz(pcm: Pcm, rate_hz: int) -> Pcm:
    """A whole recording at 16 kHz."""
    if rate_hz == RATE_HZ:
        return pcm
    import soxr

    return np.asarray(soxr.resample(pcm, rate_hz, RATE_HZ), np.int16)


def _portaudio() -> Any:
    try:
        import sounddevice
    except OSError as error:  # the Python part is there, the library is not
        raise DeviceError(
            "portaudio-missing", "The sound library PortAudio is not installed.", "Install the Debian package libportaudio2."
        ) from error
    return sounddevice


def _end_of_block_ns(time: Any, count: int, rate_hz: int) -> int:
    """When the block's last sample was heard: PortAudio's own times where they make sense, else now."""
    behind_s = time.currentTime - time.inputBufferAdcTime - count / rate_hz
    return clock.now_ns() - (int(behind_s * 1e9) if 0.0 < behind_s < 0.5 and time.inputBufferAdcTime > 0 else 0)
