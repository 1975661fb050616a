"""A small HTTP server that behaves, or misbehaves, as a test asks. Raw sockets, because a proper library would refuse to lie."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

ETAG = '"one"'


@dataclass
class Manners:
    """How the server answers. What it saw stands in `requests` (the head of each)."""

    body: bytes
    etag: str = ETAG
    ranges: bool = True  # False: 200 and the whole file, whatever was asked
    cut_after: list[int] = field(default_factory=list)  # for each connection in turn: hang up after so many bytes of the body
    stall_after: int | None = None  # then fall silent, for the first connection only
    drip_s: float = 0.0  # between single bytes
    status: int = 0  # answer this and nothing else
    status_times: int = 10_000  # … so many times
    kind: str = "application/octet-stream"
    redirect: str = ""  # `loop`, or an address
    say_length: bool = True
    extra: bytes = b""  # sent after the body, beyond what was promised
    forget_if_range: bool = False  # 206 although the ETag changed
    wrong_range: bool = False  # 206 with another part than was asked for
    encoding: str = ""
    requests: list[str] = field(default_factory=list)

    def connections(self) -> int:
        return len(self.requests)


def _head(status: str, lines: dict[str, str]) -> bytes:
    return (f"HTTP/1.1 {status}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "Connection: close\r\n\r\n").encode()


class _Server:
    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the other side hung up: that is what some tests are about
            self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        m = self.manners
        request = b""
        while b"\r\n\r\n" not in request:
            block = connection.recv(65536)
            if not block:
                return
            request += block
        asked = request.decode("latin-1")
        m.requests.append(asked)
        if m.redirect:
            where = asked.split(" ")[1] + "x" if m.redirect == "loop" else m.redirect
            connection.sendall(_head("302 Found", {"Location": where, "Content-Length": "0"}))
            return
        if m.status and m.connections() <= m.status_times:
            connection.sendall(_head(f"{m.status} No", {"Content-Length": "0"}))
            return
        self._send(connection, asked)

    def _send(self, connection: socket.socket, asked: str) -> None:
        m = self.manners
        lines = {line.split(": ")[0].lower(): line.split(": ")[1] for line in asked.split("\r\n")[1:] if ": " in line}
        start = 0
        same = lines.get("if-range", m.etag) == m.etag or m.forget_if_range
        if m.ranges and same and "range" in lines:
            start = int(lines["range"].removeprefix("bytes=").rstrip("-"))
        answer = {"Content-Type": m.kind}
        if m.etag:
            answer["ETag"] = m.etag
        if m.encoding:
            answer["Content-Encoding"] = m.encoding
        if start and start >= len(m.body):
            connection.sendall(_head("416 Range Not Satisfiable", {"Content-Range": f"bytes */{len(m.body)}"}))
            return
        body = m.body[start:]
        if m.say_length:
            answer["Content-Length"] = str(len(body))
        if start:
            told = start + 1 if m.wrong_range else start
            answer["Content-Range"] = f"bytes {told}-{len(m.body) - 1}/{len(m.body)}"
        connection.sendall(_head("206 Partial Content" if start else "200 OK", answer))
        self._body(connection, body + m.extra)

    def _body(self, connection: socket.socket, body: bytes) -> None:
        m = self.manners
        at = m.connections() - 1
        if at < len(m.cut_after):
            body = body[: m.cut_after[at]]
        if m.stall_after is not None and at == 0:
            connection.sendall(body[: m.stall_after])
            self._over.wait(5)
            return
        if m.drip_s:
            for byte in body:
                connection.sendall(bytes([byte]))
                time.sleep(m.drip_s)
            return
        connection.sendall(body)


@contextmanager
def serving(manners: Manners) -> Iterator[str]:
    """The address of a file on a server with these manners."""
    server = _Server(manners)
    try:
        yield f"http://127.0.0.1:{server.port}/model.bin"
    finally:
        server.close()
