"""The loudspeaker: a sound card, a WAV file or the air of a rehearsal, all with the face `device.audio.Loudspeaker`.

`card` or `card:NAME` plays through PortAudio; `file:PATH` writes a WAV in which silence stands where nothing was said;
`air:SOCKET` sends PCM in real time to the rehearsal that listens there. All of them play at the clock's pace, so what
`stop` cuts off was truly not heard.
"""

import asyncio
import contextlib
import socket
import threading
import wave
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from device.audio import RATE_HZ, Loudspeaker, Pcm, Played, Started, resample
from device.clock import now_ns
from device.errors import DeviceError, InputError

CHUNK_MS = 20
CHUNK = RATE_HZ * CHUNK_MS // 1000


def open_loudspeaker(source: str) -> Loudspeaker:
    """The loudspeaker that `speaker.loudspeaker` names; DeviceError or InputError with the remedy if it cannot be had."""
    kind, _, where = source.partition(":")
    if kind == "card":
        return CardLoudspeaker(where or None)
    if kind == "file" and where:
        return PacedLoudspeaker(f"the file {where}", _WavSink(Path(where)))
    if kind == "air" and where:
        return PacedLoudspeaker("the air of the rehearsal", _AirSink(where))
    raise InputError("loudspeaker-unknown", f"'{source}' is no loudspeaker.", "Use card, card:NAME or file:PATH in speaker.loudspeaker.")


class _Sink(Protocol):
    def write(self, pcm: Pcm) -> None: ...

    def close(self) -> None: ...


class PacedLoudspeaker:
    """Plays into a sink that has no clock of its own: one 20 ms chunk every 20 ms, on absolute deadlines."""

    def __init__(self, name: str, sink: _Sink) -> None:
        self.name = name
        self._sink = sink
        self._stopped = asyncio.Event()

    async def play(self, pcm: Pcm, rate_hz: int, started: Started) -> Played:
        sound = resample(pcm, rate_hz, RATE_HZ)
        self._stopped.clear()
        begin = now_ns()
        sent = 0
        while sent < sound.size and not self._stopped.is_set():
            chunk = sound[sent : sent + CHUNK]
            try:
                self._sink.write(chunk)
            except OSError as error:
                raise DeviceError("loudspeaker-lost", "The loudspeaker went away while speaking.", "Check its plug and power.") from error
            if sent == 0:
                started(begin)
            sent += chunk.size
            wait_s = (begin + sent * 1_000_000_000 // RATE_HZ - now_ns()) / 1e9
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), max(wait_s, 0))
        return Played(sent * rate_hz // RATE_HZ, begin, sent < sound.size)

    def stop(self) -> None:
        self._stopped.set()

    async def close(self) -> None:
        self._sink.close()


class _AirSink:
    """Raw 16 kHz PCM into a Unix stream socket."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(path)
        except OSError as error:
            raise DeviceError("air-missing", "The rehearsal's air is not there.", "Start it with: beside rehearse") from error
        self._socket.setblocking(False)

    def write(self, pcm: Pcm) -> None:
        self._socket.sendall(pcm.tobytes())

    def close(self) -> None:
        self._socket.close()


class _WavSink:
    """A WAV on real time: silence is written for the time in which nothing was played."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = wave.open(str(path), "wb")  # noqa: SIM115  # held open for the service's life, closed in close()
        except OSError as error:
            raise InputError(
                "loudspeaker-file", f"The sound file {path} cannot be written.", "Choose a folder that exists and has room."
            ) from error
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(RATE_HZ)
        self._begin_ns = now_ns()
        self._samples = 0

    def write(self, pcm: Pcm) -> None:
        due = (now_ns() - self._begin_ns) * RATE_HZ // 1_000_000_000
        if due - self._samples > CHUNK * 2:
            silence = np.zeros(due - self._samples, np.int16)
            self._file.writeframes(silence.tobytes())
            self._samples += silence.size
        self._file.writeframes(pcm.tobytes())
        self._samples += pcm.size

    def close(self) -> None:
        self._file.close()


class CardLoudspeaker:
    """A sound card through PortAudio. The stream stays open and plays silence, so the first word has no start-up cost."""

    def __init__(self, card: str | None) -> None:
        self.name = card or "the default sound card"
        self._lock = threading.Lock()
        self._sound: Pcm | None = None
        self._at = 0
        self._first_ns = 0
        self._done = threading.Event()
        self._stream, self._rate_hz = self._open(card)

    def _open(self, card: str | None) -> tuple[Any, int]:
        try:
            import sounddevice

            try:
                return self._stream_at(sounddevice, card, RATE_HZ), RATE_HZ
            except sounddevice.PortAudioError:  # many cards refuse 16 kHz: take their own rate and resample
                rate = int(sounddevice.query_devices(card, "output")["default_samplerate"])
                return self._stream_at(sounddevice, card, rate), rate
        except (OSError, ValueError, sounddevice.PortAudioError) as error:
            raise DeviceError(
                "loudspeaker-missing",
                f"No loudspeaker can be opened ({self.name}).",
                "Plug it in, close other programs that use it, then: beside doctor",
            ) from error

    def _stream_at(self, sounddevice: Any, card: str | None, rate_hz: int) -> Any:
        stream = sounddevice.OutputStream(
            samplerate=rate_hz,
            channels=1,
            dtype="int16",
            device=card,
            blocksize=rate_hz * CHUNK_MS // 1000,
            latency="low",
            callback=self._fill,
        )
        stream.start()
        return stream

    def _fill(self, out: Any, frames: int, time: Any, status: Any) -> None:
        """Called by PortAudio in its own thread for every 20 ms."""
        out.fill(0)
        with self._lock:
            if self._sound is None:
                return
            if self._at == 0:
                self._first_ns = now_ns() + int(max(0.0, time.outputBufferDacTime - time.currentTime) * 1e9)
            part = self._sound[self._at : self._at + frames]
            out[: part.size, 0] = part
            self._at += part.size
            if self._at >= self._sound.size:
                self._sound = None
                self._done.set()

    async def play(self, pcm: Pcm, rate_hz: int, started: Started) -> Played:
        sound = resample(pcm, rate_hz, self._rate_hz)
        self._done.clear()
        with self._lock:
            self._sound, self._at, self._first_ns = sound, 0, 0
        told = False
        while not await asyncio.to_thread(self._done.wait, 0.01):
            if self._first_ns and not told:
                told = True
                started(self._first_ns)
            if not self._stream.active:
                raise DeviceError("loudspeaker-lost", "The loudspeaker went away while speaking.", "Check its plug and power.")
        if not told:
            started(self._first_ns or now_ns())
        return Played(self._at * rate_hz // self._rate_hz, self._first_ns, self._at < sound.size)

    def stop(self) -> None:
        with self._lock:
            self._sound = None
        self._done.set()

    async def close(self) -> None:
        await asyncio.to_thread(self._stream.close)
