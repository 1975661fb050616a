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
STREAM_CHECK_S = 0.25  # a card that was pulled out says nothing: look whether its stream still runs


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


class Sink(Protocol):
    """Where a paced loudspeaker writes; it has no clock of its own."""

    def begin(self) -> None:
        """A clause begins now; whatever time has passed since the last one was silence."""
        ...

    def write(self, pcm: Pcm) -> None:
        """Samples at 16 kHz; OSError when they cannot be taken."""
        ...

    def close(self) -> None: ...


class PacedLoudspeaker:
    """Plays into a sink: one 20 ms chunk every 20 ms, on absolute deadlines, so what was not yet written was not yet heard."""

    def __init__(self, name: str, sink: Sink) -> None:
        self.name = name
        self._sink = sink
        self._stopped = asyncio.Event()

    @property
    def alive(self) -> bool:
        return True  # a file is always there; an air that went away is noticed at the next sound

    async def play(self, pcm: Pcm, rate_hz: int, started: Started) -> Played:
        sound = resample(pcm, rate_hz, RATE_HZ)
        self._stopped.clear()
        begin = now_ns()
        sent = 0
        try:
            self._sink.begin()
            while sent < sound.size:
                chunk = sound[sent : sent + CHUNK]
                if self._stopped.is_set():
                    self._sink.write(faded(chunk))
                    break
                self._sink.write(chunk)
                if sent == 0:
                    started(begin)
                sent += chunk.size
                wait_s = (begin + sent * 1_000_000_000 // RATE_HZ - now_ns()) / 1e9
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), max(wait_s, 0))
        except OSError as error:
            raise _lost() from error
        return Played(_played(sent, sound.size, pcm.size), begin, sent < sound.size)

    def stop(self) -> None:
        self._stopped.set()

    async def close(self) -> None:
        self._sink.close()


def faded(chunk: Pcm) -> Pcm:
    """The chunk falling to silence: sound that breaks off at full height clicks."""
    return (chunk * np.linspace(1, 0, chunk.size, dtype=np.float32)).astype(np.int16)


def _played(sent: int, of: int, samples: int) -> int:
    """`sent` of `of` resampled samples, told at the rate of the original."""
    return samples if sent >= of else sent * samples // of


def _lost() -> DeviceError:
    return DeviceError("loudspeaker-lost", "The loudspeaker went away while speaking.", "Check its plug and power, then: beside doctor")


class _AirSink:
    """Raw 16 kHz PCM into a Unix stream socket."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise DeviceError("air-missing", "The rehearsal's air is not there.", "Start it with: beside rehearse") from error
        self._socket.setblocking(False)

    def begin(self) -> None:
        pass  # the air has a clock: what is not sent is silence there

    def write(self, pcm: Pcm) -> None:
        self._socket.sendall(pcm.tobytes())

    def close(self) -> None:
        self._socket.close()


class _WavSink:
    """A WAV on real time: silence is written for the time in which nothing was played."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._bytes = path.open("wb")  # held open for the service's life, closed in close()
        except OSError as error:
            raise InputError(
                "loudspeaker-file", f"The sound file {path} cannot be written.", "Choose a folder that exists and has room."
            ) from error
        self._file = wave.open(self._bytes, "wb")  # noqa: SIM115  # the same
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(RATE_HZ)
        self._begin_ns = now_ns()
        self._samples = 0

    def begin(self) -> None:
        due = (now_ns() - self._begin_ns) * RATE_HZ // 1_000_000_000
        if due - self._samples > CHUNK * 2:  # less is the next clause following at once
            self.write(np.zeros(due - self._samples, np.int16))

    def write(self, pcm: Pcm) -> None:
        self._file.writeframes(pcm.tobytes())
        self._samples += pcm.size

    def close(self) -> None:
        self._file.close()  # fills in the header, and leaves the file itself open
        self._bytes.close()


class CardLoudspeaker:
    """A sound card through PortAudio. The stream stays open and plays silence, so the first word has no start-up cost."""

    def __init__(self, card: str | None) -> None:
        self.name = card or "the default sound card"
        self._lock = threading.Lock()  # guards what PortAudio's thread and ours both touch
        self._sound: Pcm | None = None
        self._at = 0
        self._stopping = False
        self._first_ns = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._change = asyncio.Event()  # the first sample went out, or the last
        self._stream, self._rate_hz = self._open(int(card) if card and card.isdigit() else card)

    def _open(self, card: str | int | None) -> tuple[Any, int]:
        try:
            import sounddevice
        except (OSError, ImportError) as error:  # OSError: PortAudio itself is not installed
            raise DeviceError(
                "sound-library-missing", "The sound library cannot be loaded.", "Install the Debian package libportaudio2."
            ) from error
        try:
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

    def _stream_at(self, sounddevice: Any, card: str | int | None, rate_hz: int) -> Any:
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
            part = self._sound[self._at : self._at + frames]
            if self._stopping:
                out[: part.size, 0] = faded(part)
                self._end()
                return
            if self._at == 0:
                self._first_ns = now_ns() + int(max(0.0, time.outputBufferDacTime - time.currentTime) * 1e9)
                self._wake()
            out[: part.size, 0] = part
            self._at += part.size
            if self._at >= self._sound.size:
                self._end()

    def _end(self) -> None:
        self._sound = None
        self._wake()

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._change.set)

    @property
    def alive(self) -> bool:
        return bool(self._stream.active)

    async def play(self, pcm: Pcm, rate_hz: int, started: Started) -> Played:
        sound = resample(pcm, rate_hz, self._rate_hz)
        self._loop = asyncio.get_running_loop()
        self._change.clear()
        with self._lock:
            self._sound, self._at, self._stopping, self._first_ns = sound if sound.size else None, 0, False, 0
        told = False
        while True:
            with self._lock:
                over, at, first_ns = self._sound is None, self._at, self._first_ns
            if first_ns and not told:
                told = True
                started(first_ns)
            if over:
                return Played(_played(at, sound.size, pcm.size), first_ns, at < sound.size)
            if not self._stream.active:
                raise _lost()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._change.wait(), STREAM_CHECK_S)
            self._change.clear()

    def stop(self) -> None:
        with self._lock:
            self._stopping = True

    async def close(self) -> None:
        await asyncio.to_thread(self._stream.close)
