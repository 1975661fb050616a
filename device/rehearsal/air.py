"""The air of the room, as a process: carries sound between the person, the loudspeaker and the microphone in real time.

One frame every 32 ms on absolute deadlines, whatever the machine does. The microphone's socket gets each frame with the
time of its last sample; the loudspeaker's socket brings 16 kHz PCM as it sounds. Commands come as JSON lines on standard
input and are answered on standard output (one line says first that the sockets are there):

    {"do": "begin"}                  the recordings start here        → {"begin_ns": …}
    {"do": "say", "wav": PATH}       the person speaks                → {"begin_ns": …} of the clip, at once
    {"do": "end"}                    or end of input                  → {"frames": …, "late_p99_ms": …, "unread": …}
"""

import argparse
import contextlib
import json
import os
import selectors
import socket
import struct
import sys
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from device.audio import FRAME_NS, FRAME_SAMPLES, RATE_HZ, Pcm
from device.rehearsal.room import Echo, Placer, Track, late_p99_ms, mix, room_response
from device.wav import read_wav

HEADER = struct.Struct("<q")
UNREAD_BYTES = 1000 * (HEADER.size + 2 * FRAME_SAMPLES)  # 32 s that a listener may be behind
WRITE_LAG = RATE_HZ // FRAME_SAMPLES * FRAME_SAMPLES  # recordings are written a second later, when nothing can be added any more


class Recording:
    """A 16 kHz mono WAV that grows while the room lives."""

    def __init__(self, path: Path) -> None:
        self._file = wave.open(str(path), "wb")  # noqa: SIM115  # held open for the process's life, closed in close()
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(RATE_HZ)

    def write(self, pcm: Pcm) -> None:
        self._file.writeframesraw(pcm.tobytes())

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class Ear:
    """One reader of the microphone's socket, with what it has not taken yet."""

    connection: socket.socket
    waiting: bytearray = field(default_factory=bytearray)

    def hear(self, frame: bytes) -> bool:
        """False when the reader is gone or 32 s behind."""
        self.waiting += frame
        try:
            del self.waiting[: self.connection.send(self.waiting)]
        except BlockingIOError:
            pass  # it is busy; the frame waits
        except OSError:
            return False
        return len(self.waiting) < UNREAD_BYTES


class Air:
    """The room's clock, its tracks, and everyone connected to it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._selector = selectors.DefaultSelector()
        self._listen(options.microphone, self._new_ear)
        self._listen(options.loudspeaker, self._new_mouth)
        os.set_blocking(sys.stdin.fileno(), False)
        self._selector.register(sys.stdin, selectors.EVENT_READ, self._commands)
        self._unparsed = b""
        self._ears: list[Ear] = []
        self._loud, self._person = Track(), Track()
        self._echo = Echo(room_response()) if options.echo else None
        self._placer = Placer()
        self._rng = np.random.default_rng(11)
        self._clip, self._clip_at = np.zeros(0, np.int16), 0
        self._heard, self._talk = Recording(options.heard), Recording(options.talk)
        self._origin: int | None = None  # first sample of the recordings
        self._frame = 0
        self._late_ms: list[float] = []
        self._unread = 0
        self._ended = False
        self._begin_ns = time.monotonic_ns()
        _answer(begin_ns=self._begin_ns)

    def run(self) -> None:
        """One frame after the other until told to end."""
        while not self._ended:
            deadline = self._begin_ns + (self._frame + 1) * FRAME_NS
            while (left_ns := deadline - time.monotonic_ns()) > 0:
                for key, _ in self._selector.select(left_ns / 1e9):
                    key.data(key.fileobj)
            self._emit(deadline)
            self._frame += 1
        self._finish()

    def _emit(self, deadline: int) -> None:
        at = self._frame * FRAME_SAMPLES
        person = np.zeros(FRAME_SAMPLES, np.int16)
        part = self._clip[max(at - self._clip_at, 0) : max(at - self._clip_at + FRAME_SAMPLES, 0)]
        person[: part.size] = part
        self._person.put(at, person)
        echo = self._echo.frame(self._loud, at) if self._echo else np.zeros(FRAME_SAMPLES, np.float32)
        message = HEADER.pack(deadline) + mix(person, echo, self._rng).tobytes()
        for ear in list(self._ears):
            if not ear.hear(message):
                self._unread += len(ear.waiting) >= UNREAD_BYTES
                self._ears.remove(ear)
                ear.connection.close()
        if self._ears:  # while nobody listens yet (start-up) lateness spoils nothing
            self._late_ms.append((time.monotonic_ns() - deadline) / 1e6)
        self._write(at - WRITE_LAG)

    def _write(self, at: int) -> None:
        heard, person = self._loud.take(at, FRAME_SAMPLES), self._person.take(at, FRAME_SAMPLES)
        if self._origin is not None and at >= self._origin:
            self._heard.write(heard)
            both = heard.astype(np.int32) + person
            self._talk.write(np.clip(both, -32768, 32767).astype(np.int16))
        self._loud.clear(at, FRAME_SAMPLES)

    def _finish(self) -> None:
        first = self._frame * FRAME_SAMPLES - WRITE_LAG
        for at in range(first, first + WRITE_LAG, FRAME_SAMPLES):
            self._write(at)
        self._heard.close()
        self._talk.close()
        _answer(frames=len(self._late_ms), late_p99_ms=round(late_p99_ms(self._late_ms), 2), unread=self._unread)

    def _listen(self, path: Path, accept: Any) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        server.setblocking(False)
        self._selector.register(server, selectors.EVENT_READ, accept)

    def _new_ear(self, server: socket.socket) -> None:
        connection = server.accept()[0]
        connection.setblocking(False)
        self._ears.append(Ear(connection))

    def _new_mouth(self, server: socket.socket) -> None:
        connection = server.accept()[0]
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, self._loudspeaker_sounds)

    def _loudspeaker_sounds(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            connection.close()
            return
        pcm = np.frombuffer(data[: len(data) // 2 * 2], np.int16)  # the sender writes whole chunks
        self._loud.put(self._placer.place(self._sample_now(), pcm.size), pcm)

    def _sample_now(self) -> int:
        return (time.monotonic_ns() - self._begin_ns) * RATE_HZ // 1_000_000_000

    def _commands(self, _: Any) -> None:
        data = os.read(sys.stdin.fileno(), 1 << 16)
        if not data:
            self._ended = True
            self._selector.unregister(sys.stdin)
        *lines, self._unparsed = (self._unparsed + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))

    def _obey(self, command: dict[str, str]) -> None:
        at = (self._frame + 1) * FRAME_SAMPLES
        match command["do"]:
            case "begin":
                self._origin = at
                _answer(begin_ns=self._time_of(at))
            case "say":
                self._clip, self._clip_at = read_wav(Path(command["wav"]))[0], at
                _answer(begin_ns=self._time_of(at))
            case "end":
                self._ended = True

    def _time_of(self, sample: int) -> int:
        return self._begin_ns + sample * 1_000_000_000 // RATE_HZ


def _answer(**facts: float) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m device.rehearsal.air", description="The air between loudspeaker and microphone.")
    parser.add_argument("--microphone", type=Path, required=True, help="socket that the listener reads")
    parser.add_argument("--loudspeaker", type=Path, required=True, help="socket that the speaker writes")
    parser.add_argument("--heard", type=Path, required=True, help="WAV of what the loudspeaker played")
    parser.add_argument("--talk", type=Path, required=True, help="WAV of both voices")
    parser.add_argument("--no-echo", dest="echo", action="store_false", help="what the loudspeaker plays does not come back")
    options = parser.parse_args()
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # a measuring instrument must not be late itself
    Air(options).run()


if __name__ == "__main__":
    main()
