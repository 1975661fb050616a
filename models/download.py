"""Load one file over HTTP so that a bad line, a bad server or a full disk costs time and never a wrong file.

A broken transfer goes on where it stopped (`Range`), and only if the server still holds the same file (`If-Range` with its
ETag, and the answer's own ETag and Content-Range are checked as well, because servers forget). What arrives is still only a
guess until its hash has been compared: that is `fetch`'s work.

Why urllib: it is part of Python, so the installer can fetch before anything else is there; and it trusts the system's own
certificates, where a hospital keeps those of its proxy. What it lacks (resuming, stalls, limits) no library brings along.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any

from device.errors import InputError
from models.catalogue import ModelFile
from models.progress import Progress
from models.shelf import disk_trouble, need_space

BLOCK_BYTES = 256 * 1024
WORTH_A_TRY_BYTES = 1 << 20  # a connection that brought this much does not count as a failed one
LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to put up with a line. Tests are less patient."""

    silent_s: float = 30.0  # no byte for so long: hang up
    window_s: float = 60.0  # over so long …
    slowest_bytes_per_s: int = 1024  # … at least this, or it counts as a stall
    tries: int = 6
    wait_s: float = 2.0  # before the second try; doubles


USUAL = Patience()


class _BrokenOffError(Exception):
    """This connection failed, another may not."""

    def __init__(self, why: str, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class _Redirects(urllib.request.HTTPRedirectHandler):
    """At most ten, and never from https to something weaker."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise InputError("fetch-weak-redirect", "The server sends us on to an address without encryption.", "Nothing was taken.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]  # typeshed wants HTTPMessage


def _opener() -> urllib.request.OpenerDirector:
    """Only http and https: urllib's usual opener would also open files of this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler, urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor, urllib.request.UnknownHandler, _Redirects,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener


def download(file: ModelFile, part: Path, patience: Patience, progress: Progress) -> bool:
    """Load `file.url` into `part`; True if an earlier part was continued. InputError when it cannot be had."""
    transfer = _Transfer(file, part, patience, progress)
    first_done = transfer.done
    progress.begin(file.file, file.bytes, first_done)
    left, wait_s = patience.tries, patience.wait_s
    while True:
        before = transfer.done
        try:
            transfer.attempt()
        except _BrokenOffError as failure:
            if transfer.done - before < WORTH_A_TRY_BYTES:
                left -= 1
            if left <= 0:
                raise InputError(
                    "fetch-broken-off", f"{file.file} could not be loaded: {failure}.", "Fetch again later: it goes on where it stopped."
                ) from failure
            progress.note(f"{file.file}: {failure}; trying again")
            time.sleep(min(max(wait_s, failure.wait_s), LONGEST_WAIT_S))
            wait_s *= 2
        else:
            transfer.forget()
            return first_done > 0 and not transfer.began_anew


class _Transfer:
    """One file on its way: what is here of it, and of which version on the server."""

    def __init__(self, file: ModelFile, part: Path, patience: Patience, progress: Progress) -> None:
        self._url, self._name, self._total = file.url or "", file.file, file.bytes
        self._part, self._state = part, part.with_name(f"{part.name}.json")
        self._patience, self._progress = patience, progress
        self._opener = _opener()
        self._etag = self._saved_etag()
        self.began_anew = False
        self.done = part.stat().st_size if part.exists() else 0

    def _saved_etag(self) -> str:
        """The ETag of the part that is here; a part of another address is thrown away."""
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            url, etag = str(state["url"]), str(state["etag"])
        except (OSError, ValueError, KeyError, TypeError):
            url, etag = "", ""
        if url != self._url:
            self._part.unlink(missing_ok=True)
            return ""
        return etag

    def forget(self) -> None:
        self._state.unlink(missing_ok=True)

    def attempt(self) -> None:
        """One connection; returns when every byte is here."""
        if self._total is not None and self.done == self._total:
            return
        request = urllib.request.Request(self._url, headers={"User-Agent": "beside", "Accept-Encoding": "identity"})  # noqa: S310  # the opener knows http(s) only
        if self.done:
            request.add_header("Range", f"bytes={self.done}-")
            if self._etag and not self._etag.startswith("W/"):  # a weak ETag proves nothing about bytes
                request.add_header("If-Range", self._etag)
        try:
            with self._opener.open(request, timeout=self._patience.silent_s) as response:
                self._accept(response)
                self._read(response)
        except urllib.error.HTTPError as error:
            with error:  # it holds the connection open
                self._refused(error)
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError; so are timeouts and resets
            raise _BrokenOffError(_plain(error)) from error

    def _refused(self, error: urllib.error.HTTPError) -> None:
        if error.code == 416 and self.done:
            self._anew()
            raise _BrokenOffError("the server has less than is here")
        if error.code == 429 or error.code >= 500:
            after = str(error.headers.get("Retry-After", ""))
            raise _BrokenOffError(f"the server says {error.code}", float(after) if after.isdecimal() else 0.0)
        if 300 <= error.code < 400:
            raise InputError(
                "fetch-redirect-loop", f"The server sends us round in circles for {self._name}.", "Tell who keeps the catalogue."
            )
        raise InputError("fetch-refused", f"The server does not give {self._name} (HTTP {error.code}).", _remedy(error.code))

    def _accept(self, response: Any) -> None:
        """Is this the answer to what was asked? Sets how many bytes there are in all, and where these begin."""
        kind, etag = str(response.headers.get_content_type()), str(response.headers.get("ETag", ""))
        if kind in ("text/html", "application/xhtml+xml"):
            raise _web_page(self._name)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise InputError("fetch-packed", f"The server sends {self._name} packed, which was not asked for.", "Nothing was taken.")
        begin, total = 0, _number(response.headers.get("Content-Length"))
        if response.status == 206:
            begin, total = _content_range(response.headers.get("Content-Range", ""))
            if begin != self.done or (self._etag and etag and etag != self._etag):
                self._anew()
                raise _BrokenOffError("the server now has another file, or another part of it than was asked for")
        elif self.done:  # 200: the whole file from the beginning, because it changed or the server cannot go on
            self._anew()
        if self._total is None and total is None:
            raise InputError("fetch-no-size", f"The server does not say how large {self._name} is.", "Nothing was taken.")
        if self._total is not None and total is not None and total != self._total:
            raise InputError(
                "fetch-wrong-size",
                f"{self._name} has {total:,} bytes there, not {self._total:,}.",
                "It changed at its source; nothing was taken.",
            )
        if self._total is None and total is not None:
            need_space(self._part.parent, total - self.done)
            self._total = total
        self._etag = etag
        self._state.write_text(json.dumps({"url": self._url, "etag": etag}), encoding="utf-8")

    def _anew(self) -> None:
        self._progress.moved(-self.done)
        self._part.unlink(missing_ok=True)
        self.done, self.began_anew = 0, True

    def _read(self, response: Any) -> None:
        total = self._total or 0
        window_began, window_done = time.monotonic(), self.done
        while self.done <= total:
            block = response.read1(BLOCK_BYTES)
            if not block:
                break
            if self.done == 0 and block.lstrip()[:1] == b"<":
                raise _web_page(self._name)
            self._keep(block)
            if time.monotonic() - window_began > self._patience.window_s:
                if self.done - window_done < self._patience.slowest_bytes_per_s * self._patience.window_s:
                    raise _BrokenOffError("the server sends almost nothing")
                window_began, window_done = time.monotonic(), self.done
        if self.done > total:
            self._anew()
            raise InputError("fetch-too-much", f"The server sends more than the {total:,} bytes of {self._name}.", "Nothing was taken.")
        if self.done < total:
            raise _BrokenOffError(f"the line broke after {self.done:,} of {total:,} bytes")

    def _keep(self, block: bytes) -> None:
        try:
            with self._part.open("ab", buffering=0) as out:
                written = out.write(block)
        except OSError as error:
            raise disk_trouble(error, self._name) from error
        self.done += written
        self._progress.moved(written)
        if written < len(block):  # the disk took a part: the next write will say why
            self._keep(block[written:])


def _web_page(name: str) -> InputError:
    return InputError(
        "fetch-web-page",
        f"A web page came instead of {name}.",
        "Perhaps this network asks for a login first, or the maker wants the licence accepted.",
    )


def _remedy(code: int) -> str:
    if code in (401, 403):
        return "The maker may ask for an account; download it with a browser and use: beside models fetch --from FOLDER"
    return "It may have moved; tell who keeps the catalogue."


def _plain(error: Exception) -> str:
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "the server fell silent"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return f"the line broke ({type(error).__name__})"


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


def _content_range(text: str) -> tuple[int, int | None]:
    """`bytes 5-9/10` → (5, 10); (-1, None) if it cannot be read, which fits no request."""
    unit, _, rest = text.partition(" ")
    span, _, total = rest.partition("/")
    begin = _number(span.partition("-")[0])
    return (-1, None) if unit != "bytes" or begin is None else (begin, _number(total))
