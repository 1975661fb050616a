"""Every way in which a server or a line can fail us: never a wrong file, never a good one lost."""

import hashlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from device.config import ROOT
from device.errors import InputError
from models.catalogue import Model, ModelFile
from models.download import Patience, download
from models.fetch import Outcome, Wanted, fetch
from models.progress import Silent
from models.shelf import alone
from tests.misbehaving import Manners, serving

BODY = bytes(range(256)) * 4
QUICK = Patience(silent_s=0.3, window_s=0.2, slowest_bytes_per_s=1000, tries=3, wait_s=0.0)
OLD = b"the good file of yesterday"


def model_of(url: str, body: bytes | None = BODY, file: str = "model.bin", *, kind: str = "vad", unpack: bool = False) -> Model:
    """A model at an address of this machine (the catalogue itself allows https alone)."""
    known = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()} if body is not None else {}
    entry = ModelFile.model_construct(file=file, url=url, unpack=unpack, **known)
    prompt = "chatml" if kind == "llm" else None
    return Model.model_construct(name="test", kind=kind, prompt=prompt, memory_mb=1, good_for="", licence="", files=[entry])


def bring(model: Model, folder: Path, *, sha256: str | None = None, patience: Patience = QUICK) -> Outcome:
    (outcome,) = fetch(Wanted((model,), folder, sha256=sha256, patience=patience), Silent())
    return outcome


def assert_refused(outcome: Outcome, code: str, folder: Path, kept: bytes | None = OLD) -> None:
    assert outcome.trouble is not None
    assert outcome.trouble.code == code
    assert (folder / "model.bin").exists() is (kept is not None)
    if kept is not None:
        assert (folder / "model.bin").read_bytes() == kept


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder in which an older, good file stands."""
    (tmp_path / "model.bin").write_bytes(OLD)
    return tmp_path


def test_fetch_takes_the_file_when_all_goes_well(shelf: Path) -> None:
    with serving(Manners(BODY)) as url:
        assert bring(model_of(url), shelf).trouble is None
    assert (shelf / "model.bin").read_bytes() == BODY
    assert [p.name for p in shelf.iterdir()] == ["model.bin"]


def test_fetch_leaves_the_network_alone_when_the_file_is_here_and_whole(shelf: Path) -> None:
    manners = Manners(BODY)
    with serving(manners) as url:
        bring(model_of(url), shelf)
        assert bring(model_of(url), shelf).was_here
    assert manners.connections() == 1


@pytest.mark.parametrize("cut", [0, 1, 2, 255, 256, 511, 1022, 1023])
def test_fetch_goes_on_where_the_line_was_cut(shelf: Path, cut: int) -> None:
    manners = Manners(BODY, cut_after=[cut])
    with serving(manners) as url:
        assert bring(model_of(url), shelf).trouble is None
    assert (shelf / "model.bin").read_bytes() == BODY
    assert manners.connections() == 2
    assert ("Range: bytes=" in manners.requests[1]) is (cut > 0)


def test_fetch_is_right_at_every_possible_cut(tmp_path: Path) -> None:
    body = BODY[:97]
    for cut in range(len(body)):
        folder = tmp_path / str(cut)
        with serving(Manners(body, cut_after=[cut])) as url:
            assert bring(model_of(url, body), folder).trouble is None, cut
        assert (folder / "model.bin").read_bytes() == body


def test_fetch_resumes_on_another_day_with_range_and_if_range(shelf: Path) -> None:
    manners = Manners(BODY, cut_after=[300, 0, 0])
    with serving(manners) as url:
        assert_refused(bring(model_of(url), shelf), "fetch-broken-off", shelf)
        assert (shelf / ".model.bin.part").stat().st_size == 300
        manners.requests.clear()
        manners.cut_after = []
        assert bring(model_of(url), shelf).trouble is None
    assert "Range: bytes=300-" in manners.requests[0]
    assert 'If-Range: "one"' in manners.requests[0]
    assert (shelf / "model.bin").read_bytes() == BODY


def test_fetch_starts_anew_when_the_server_answers_200_to_a_range(shelf: Path) -> None:
    with serving(Manners(BODY, cut_after=[500], ranges=False)) as url:
        assert bring(model_of(url), shelf).trouble is None
    assert (shelf / "model.bin").read_bytes() == BODY


@pytest.mark.parametrize("forgetful", [False, True])
def test_fetch_starts_anew_when_the_etag_changed(shelf: Path, forgetful: bool) -> None:
    other = BODY[::-1]
    manners = Manners(other, cut_after=[500, 0, 0, 0])
    with serving(manners) as url:
        wanted = model_of(url)
        bring(wanted, shelf)
        manners.body, manners.etag, manners.forget_if_range = BODY, '"two"', forgetful
        manners.requests.clear()
        manners.cut_after = []
        assert bring(wanted, shelf).trouble is None
    assert (shelf / "model.bin").read_bytes() == BODY


def test_fetch_starts_anew_when_a_server_without_etag_changed_its_file(shelf: Path) -> None:
    manners = Manners(BODY[::-1], cut_after=[500, 0, 0], etag="")
    with serving(manners) as url:
        bring(model_of(url), shelf)
        manners.body, manners.cut_after = BODY, []
        manners.requests.clear()
        assert bring(model_of(url), shelf).trouble is None
    assert (shelf / "model.bin").read_bytes() == BODY


def test_fetch_does_not_trust_a_206_of_another_part(shelf: Path) -> None:
    manners = Manners(BODY, cut_after=[500], wrong_range=True)
    with serving(manners) as url:
        assert bring(model_of(url), shelf).trouble is None
    assert "Range" not in manners.requests[2]
    assert (shelf / "model.bin").read_bytes() == BODY


def test_fetch_starts_anew_when_a_part_of_another_address_lies_there(shelf: Path) -> None:
    (shelf / ".model.bin.part").write_bytes(b"x" * 100)
    manners = Manners(BODY)
    with serving(manners) as url:
        assert bring(model_of(url), shelf).trouble is None
    assert "Range" not in manners.requests[0]


@pytest.mark.parametrize(
    ("manners", "code"),
    [
        (Manners(b"x" * len(BODY)), "model-wrong-hash"),
        (Manners(BODY[:-1]), "fetch-wrong-size"),
        (Manners(BODY + b"x"), "fetch-wrong-size"),
        (Manners(BODY, say_length=False, extra=b"more"), "fetch-too-much"),
        (Manners(b"<!DOCTYPE html>" + bytes(len(BODY) - 15)), "fetch-web-page"),
        (Manners(BODY, kind="text/html; charset=utf-8"), "fetch-web-page"),
        (Manners(BODY, encoding="gzip"), "fetch-packed"),
        (Manners(BODY, redirect="loop"), "fetch-redirect-loop"),
        (Manners(BODY, redirect="file:///etc/passwd"), "fetch-redirect-loop"),
        (Manners(BODY, status=404), "fetch-refused"),
        (Manners(BODY, status=403), "fetch-refused"),
        (Manners(BODY, status=503), "fetch-broken-off"),
        (Manners(BODY, cut_after=[0] * 9), "fetch-broken-off"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fetch_keeps_the_good_file_when(shelf: Path, manners: Manners, code: str) -> None:
    with serving(manners) as url:
        assert_refused(bring(model_of(url), shelf), code, shelf)


def test_fetch_keeps_the_good_file_when_nobody_answers(shelf: Path) -> None:
    with serving(Manners(BODY)) as url:
        pass
    assert_refused(bring(model_of(url), shelf), "fetch-broken-off", shelf)


def test_fetch_tries_again_when_the_server_was_busy_for_a_moment(shelf: Path) -> None:
    with serving(Manners(BODY, status=503, status_times=2)) as url:
        assert bring(model_of(url), shelf).trouble is None


def test_fetch_hangs_up_and_goes_on_when_the_server_falls_silent(shelf: Path) -> None:
    manners = Manners(BODY, stall_after=400)
    with serving(manners) as url:
        (outcome,) = fetch(Wanted((model_of(url),), shelf, patience=QUICK), Silent())
        assert outcome.trouble is None
    assert "Range: bytes=400-" in manners.requests[1]


def test_fetch_gives_up_when_the_server_only_drips(shelf: Path) -> None:
    with serving(Manners(BODY, drip_s=0.01)) as url:
        assert_refused(bring(model_of(url), shelf), "fetch-broken-off", shelf)


def test_fetch_refuses_a_redirect_to_an_unencrypted_address() -> None:
    from urllib.request import Request

    from models.download import _Redirects

    with pytest.raises(InputError, match="without encryption"):
        _Redirects().redirect_request(Request("https://example.org/a"), None, 302, "", {}, "http://example.org/a")  # type: ignore[arg-type]  # not reached


def test_fetch_refuses_a_model_without_a_hash(shelf: Path) -> None:
    with serving(Manners(BODY)) as url:
        assert_refused(bring(model_of(url, None), shelf), "model-unproven", shelf)


def test_fetch_takes_a_model_without_a_hash_when_the_user_names_it(tmp_path: Path) -> None:
    with serving(Manners(BODY)) as url:
        wanted = model_of(url, None)
        assert bring(wanted, tmp_path, sha256=hashlib.sha256(BODY).hexdigest()).trouble is None
        assert bring(wanted, tmp_path).was_here
        (tmp_path / "model.bin").write_bytes(b"rotten")
        assert not bring(wanted, tmp_path).was_here


def test_fetch_refuses_when_the_users_hash_is_not_that_of_the_file(shelf: Path) -> None:
    with serving(Manners(BODY)) as url:
        assert_refused(bring(model_of(url, None), shelf, sha256="0" * 64), "model-wrong-hash", shelf)


def test_fetch_does_not_let_the_user_replace_a_published_hash(shelf: Path) -> None:
    with pytest.raises(InputError, match="are known"):
        bring(model_of("http://127.0.0.1:1/"), shelf, sha256="0" * 64)


def test_fetch_refuses_a_gguf_whose_header_lies(shelf: Path) -> None:
    lying = b"GGUF" + (3).to_bytes(4, "little") + (10**9).to_bytes(8, "little") + (10**9).to_bytes(8, "little") + bytes(100)
    with serving(Manners(lying)) as url:
        outcome = bring(model_of(url, lying, "liar.gguf", kind="llm"), shelf)
    assert outcome.trouble is not None
    assert outcome.trouble.code == "model-header-lies"
    assert not list(shelf.glob("*liar*"))


@pytest.mark.parametrize("file", ["a.gguf", "a.zip", "a.tflite", "a.onnx", "a.safetensors", "a.json"])
def test_fetch_refuses_a_file_that_is_not_what_its_name_says(tmp_path: Path, file: str) -> None:
    body = b"\xff" * 64
    with serving(Manners(body)) as url:
        outcome = bring(model_of(url, body, file, unpack=file == "a.zip"), tmp_path)
    assert outcome.trouble is not None
    assert outcome.trouble.code == "model-wrong-kind"
    assert list(tmp_path.glob("a*")) == []


def test_fetch_says_beforehand_when_the_disk_is_too_small(shelf: Path) -> None:
    vast = ModelFile.model_construct(file="vast.bin", url="http://127.0.0.1:1/", bytes=10**18, sha256="0" * 64)
    model = model_of("").model_copy(update={"files": [vast]})
    with pytest.raises(InputError, match="are needed"):
        bring(model, shelf)


def test_fetch_keeps_the_good_file_and_the_part_when_the_disk_fills_up(shelf: Path) -> None:
    """A limit on the size of files stands for the full disk; the write fails in the middle in the same way."""
    body = bytes(200_000)
    with serving(Manners(body)) as url:
        program = textwrap.dedent(f"""
            import resource
            from pathlib import Path
            from tests.unit.test_fetch_hostile_server import bring, model_of
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
            print(bring(model_of({url!r}, bytes(200_000)), Path({str(shelf)!r})).trouble.code)
        """)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
        assert done.stdout.strip() == "disk-full"
        assert (shelf / "model.bin").read_bytes() == OLD
        assert (shelf / ".model.bin.part").stat().st_size == 100_000
        assert bring(model_of(url, body), shelf).trouble is None
    assert (shelf / "model.bin").read_bytes() == body


def test_fetch_survives_a_really_full_disk(tmp_path: Path) -> None:
    """A tmpfs of one megabyte, where this machine lets us mount one."""
    program = textwrap.dedent("""
        from pathlib import Path
        from tests.misbehaving import Manners, serving
        from tests.unit.test_fetch_hostile_server import bring, model_of
        import models.shelf, models.fetch
        models.shelf.need_space = lambda *_: None  # the check beforehand is another test's
        body = bytes(2_000_000)
        with serving(Manners(body)) as url:
            print(bring(model_of(url, body), Path("/mnt")).trouble.code)
    """)
    script = f'mount -t tmpfs -o size=1m tmpfs /mnt && exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["unshare", "-rmn", "sh", "-c", f"ip link set lo up 2>/dev/null; {script}", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    if "Operation not permitted" in done.stderr or "Permission denied" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this machine does not let us mount a small disk")
    assert done.stdout.strip() == "disk-full", done.stderr


def test_fetch_waits_for_nobody_when_another_fetch_is_at_work(shelf: Path) -> None:
    with alone(shelf), pytest.raises(InputError, match="Another fetch"):
        bring(model_of("http://127.0.0.1:1/"), shelf)


def test_download_says_how_large_without_a_known_size(tmp_path: Path) -> None:
    file = ModelFile.model_construct(file="model.bin", url="", sha256=None)
    with serving(Manners(BODY, say_length=False)) as url, pytest.raises(InputError, match="how large"):
        download(file.model_copy(update={"url": url}), tmp_path / "part", QUICK, Silent())
