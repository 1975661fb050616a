"""Archives made to do harm: nothing leaves its folder, nothing fills the disk, nothing is left behind."""

import hashlib
import io
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import InputError
from models import shelf
from models.archive import Limits, unpacked
from models.catalogue import Model, ModelFile
from models.fetch import Wanted, fetch
from models.progress import Silent

Entries = list[tuple[str | zipfile.ZipInfo, bytes]]
HONEST: Entries = [("vosk-x/conf/model.conf", b"--min-active=200\n"), ("vosk-x/am/final.mdl", bytes(range(256)) * 20)]


def pack(path: Path, entries: Entries, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as out:
        for name, body in entries:
            if isinstance(name, zipfile.ZipInfo):
                name.compress_type = method
            out.writestr(name, body)
    return path


def special(name: str, kind: int, body: bytes = b"/etc/passwd") -> Entries:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return [*HONEST, (info, body)]


def bring(folder: Path, packed: Path) -> str:
    """Fetch the archive as a model from the folder it lies in; the code of the trouble, or nothing."""
    body = packed.read_bytes()
    entry = ModelFile.model_construct(
        file="vosk-x.zip", url="https://example.org/vosk-x.zip", unpack=True, bytes=len(body), sha256=hashlib.sha256(body).hexdigest()
    )
    model = Model.model_construct(name="x", kind="stt", memory_mb=1, good_for="", licence="", files=[entry])
    (outcome,) = fetch(Wanted((model,), folder, source=packed.parent), Silent())
    return outcome.trouble.code if outcome.trouble else ""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick" / "vosk-x.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def test_unpack_makes_the_folder_when_the_archive_is_honest(source: Path, folder: Path) -> None:
    assert bring(folder, pack(source, HONEST)) == ""
    assert (folder / "vosk-x" / "am" / "final.mdl").read_bytes() == bytes(range(256)) * 20
    assert sorted(p.name for p in folder.iterdir()) == [".vosk-x.sums.json", "vosk-x"]


def test_unpack_makes_the_folder_when_the_archive_has_none(source: Path, folder: Path) -> None:
    assert bring(folder, pack(source, [("conf/a", b"1"), ("b", b"2")])) == ""
    assert (folder / "vosk-x" / "conf" / "a").read_bytes() == b"1"


def test_unpack_replaces_a_broken_folder(source: Path, folder: Path) -> None:
    bring(folder, pack(source, HONEST))
    (folder / "vosk-x" / "conf" / "model.conf").write_text("rotten")
    (folder / "vosk-x" / "strange").write_text("left over")
    assert bring(folder, source) == ""
    assert (folder / "vosk-x" / "conf" / "model.conf").read_bytes() == b"--min-active=200\n"
    assert not (folder / "vosk-x" / "strange").exists()


HARMFUL: dict[str, Entries] = {
    "zip-slip": [*HONEST, ("../outside", b"x")],
    "zip-slip inside": [*HONEST, ("vosk-x/../../outside", b"x")],
    "absolute": [*HONEST, ("/outside", b"x")],
    "backslash": [*HONEST, ("..\\outside", b"x")],
    "drive": [*HONEST, ("C:outside", b"x")],
    "control character": [*HONEST, ("vosk-x/a\x1b[2J", b"x")],
    "symlink": special("vosk-x/link", stat.S_IFLNK),
    "fifo": special("vosk-x/pipe", stat.S_IFIFO),
    "device": special("vosk-x/disk", stat.S_IFBLK),
    "too deep": [("/".join("abcdefghijklmnop"), b"x")],
    "case twins": [("a/B", b"1"), ("a/b", b"2")],
    "bomb by ratio": [("zeros", bytes(5_000_000))],
    "empty": [],
}


@pytest.mark.parametrize("name", HARMFUL)
def test_unpack_takes_nothing_when_the_archive_is_harmful(source: Path, folder: Path, name: str) -> None:
    assert bring(folder, pack(source, HARMFUL[name])) == "archive-harmful"
    assert list(folder.iterdir()) == []
    assert sorted(p.name for p in folder.parent.iterdir()) == ["models", "stick"]


def test_unpack_takes_nothing_when_the_packing_is_unusual(source: Path, folder: Path) -> None:
    assert bring(folder, pack(source, HONEST, zipfile.ZIP_LZMA)) == "archive-harmful"


def test_unpack_keeps_the_old_folder_when_the_new_archive_is_harmful(source: Path, folder: Path) -> None:
    bring(folder, pack(source, HONEST))
    assert bring(folder, pack(source, HARMFUL["zip-slip"])) == "archive-harmful"
    assert (folder / "vosk-x" / "am" / "final.mdl").exists()


@pytest.mark.parametrize("limits", [Limits(files=1), Limits(total_bytes=5000)], ids=["count", "size"])
def test_unpack_takes_nothing_when_there_is_too_much(source: Path, folder: Path, limits: Limits) -> None:
    with pytest.raises(InputError, match="not what a model looks like"), unpacked(pack(source, HONEST), folder, limits):
        pass
    assert list(folder.iterdir()) == []


def test_unpack_takes_nothing_when_the_list_lies_about_a_size(source: Path, folder: Path) -> None:
    """The central directory says 5 bytes; the file's own stream is longer."""
    raw = bytearray(pack(source, [("a/b", b"x" * 5000)], zipfile.ZIP_STORED).read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", 5)
    source.write_bytes(raw)
    assert bring(folder, source) in ("archive-harmful", "archive-broken")
    assert list(folder.iterdir()) == []


def test_unpack_takes_nothing_when_the_files_overlap(source: Path, folder: Path) -> None:
    """Many entries that all point to the same packed bytes: a small archive that unpacks to a large one."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a", bytes(range(256)) * 40)
        first = packed.filelist[0]
        for i in range(50):
            twin = zipfile.ZipInfo(f"b{i}")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(twin, field, getattr(first, field))
            packed.filelist.append(twin)
            packed.NameToInfo[twin.filename] = twin
    source.write_bytes(out.getvalue())
    assert bring(folder, source) in ("archive-harmful", "archive-broken")
    assert list(folder.iterdir()) == []


@given(cut=st.integers(0, 500), flip=st.integers(0, 255))
def test_unpack_never_takes_a_damaged_archive_for_another(tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int) -> None:
    """A flipped byte gives the same files, or trouble in plain words; never other bytes and never a traceback."""
    base = tmp_path_factory.mktemp("zip")
    bodies = (b"hello" * 30, bytes(range(100)))
    packed = pack(base / "x.zip", [("t/a", bodies[0]), ("t/b", bodies[1])])
    raw = bytearray(packed.read_bytes())
    raw[cut % len(raw)] ^= flip
    packed.write_bytes(raw)
    folder = base / "models"
    folder.mkdir()
    with suppress(InputError), unpacked(packed, folder) as (top, sums):
        for name, wanted in sums.items():
            assert shelf.digest(top / name) == wanted
            assert (top / name).read_bytes() in bodies
    assert list(folder.iterdir()) == []


def test_verify_names_the_broken_file_of_an_unpacked_model(source: Path, folder: Path) -> None:
    bring(folder, pack(source, HONEST))
    entry = ModelFile.model_construct(file="vosk-x.zip", url="", unpack=True)
    model = Model.model_construct(name="x", kind="stt", files=[entry])
    assert [f.trouble for f in shelf.inspect(model, folder)] == [""]
    (folder / "vosk-x" / "conf" / "model.conf").write_bytes(b"--min-active=201\n")
    assert [f.trouble for f in shelf.inspect(model, folder)] == ["conf/model.conf is broken or missing"]
    (folder / "vosk-x" / "am" / "final.mdl").unlink()
    assert len(shelf.inspect(model, folder)) == 2


def test_recover_brings_the_old_folder_back_after_a_power_cut(source: Path, folder: Path) -> None:
    bring(folder, pack(source, HONEST))
    (folder / "vosk-x").rename(folder / ".vosk-x.old")  # the power went between the two renames
    shelf.recover(folder)
    assert (folder / "vosk-x" / "am" / "final.mdl").exists()
