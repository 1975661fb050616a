"""A stick: whole and signed, or refused with the name of what is wrong."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from device.config import ROOT
from device.errors import BesideError, EngineError, InputError
from models import bundle, catalogue, debian, manifest, signature, wheelhouse
from models.bundle import Plan
from models.manifest import Manifest

ABOUT = Manifest(beside="0", made="now", release="debian 12", python="3.11", models=["a"], files=[])
needs_minisign = pytest.mark.skipif(shutil.which("minisign") is None, reason="Debian's minisign is not installed")


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "a.onnx").write_bytes(b"model")
    (folder / "empty").write_bytes(b"")
    manifest.write(folder, ABOUT)
    return folder


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "beside"


def troubles(stick: Path) -> list[str]:
    return manifest.troubles(stick, manifest.read(stick))


def test_manifest_lists_every_file_with_size_and_sum(stick: Path) -> None:
    held = {h.file: (h.bytes, h.sha256) for h in manifest.read(stick).files}
    assert held["models/a.onnx"] == (5, hashlib.sha256(b"model").hexdigest())
    assert set(held) == {"models/a.onnx", "empty"}
    assert troubles(stick) == []


def test_sums_can_be_checked_without_us(stick: Path) -> None:
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=stick, check=True, timeout=30)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: (f / "models" / "a.onnx").write_bytes(b"modem"), "models/a.onnx: changed"),
        (lambda f: (f / "models" / "a.onnx").write_bytes(b"model+"), "models/a.onnx: changed"),
        (lambda f: (f / "models" / "a.onnx").unlink(), "models/a.onnx: missing"),
        (lambda f: (f / "models" / "extra").write_bytes(b"x"), "models/extra: is not on the list"),
        (lambda f: (f / "link").symlink_to("/etc/passwd"), "link: is not on the list"),
        (lambda f: (f / "folder").symlink_to("/etc"), "folder: is a link"),
        (lambda f: ((f / "empty").unlink(), (f / "empty").symlink_to("models/a.onnx")), "empty: is a link, not a file"),
        (lambda f: (f / "SHA256SUMS").write_text("nothing"), "SHA256SUMS: does not agree with manifest.json"),
    ],
    ids=["byte", "longer", "missing", "extra", "link", "folder", "replaced", "sums"],
)
def test_check_names_what_is_wrong(stick: Path, change: object, said: str) -> None:
    assert callable(change)
    change(stick)
    assert troubles(stick) == [said]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a\\b", "a\0b", "", "a/../../b"])
def test_manifest_is_refused_when_it_points_outside(stick: Path, name: str) -> None:
    raw = json.loads((stick / "manifest.json").read_text())
    raw["files"][0]["file"] = name
    (stick / "manifest.json").write_text(json.dumps(raw))
    with pytest.raises(InputError):
        manifest.read(stick)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 100_000, '{"v": 2}'])
def test_manifest_is_refused_when_it_is_none(stick: Path, text: str) -> None:
    (stick / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="no bundle"):
        manifest.read(stick)


@needs_minisign
def test_signature_holds_until_the_manifest_changes(stick: Path, site: Path) -> None:
    signature.sign(stick, "made for a test")
    assert signature.verify(stick, site / "site.pub") == "made for a test"
    assert (site / "site.key").stat().st_mode & 0o077 == 0
    (stick / "manifest.json").write_text((stick / "manifest.json").read_text().replace("debian 12", "debian 13"))
    with pytest.raises(InputError, match="not that of this key"):
        signature.verify(stick, site / "site.pub")


@needs_minisign
def test_signature_of_another_site_is_refused(stick: Path, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signature.sign(stick, "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    signature.site_key()
    with pytest.raises(InputError, match="not that of this key"):
        signature.verify(stick, tmp_path / "elsewhere" / "beside" / "site.pub")


@needs_minisign
def test_site_key_is_made_once(site: Path) -> None:
    first = signature.site_key().read_bytes()
    assert signature.site_key().read_bytes() == first


def test_signature_says_what_to_install_when_the_tool_is_missing(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match="minisign"):
        signature.sign(stick, "")


def shelf_with_voice(tmp_path: Path) -> tuple[catalogue.Model, Path]:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "voice.onnx").write_bytes(b"\x08voice")
    entry = catalogue.ModelFile(file="voice.onnx", url="https://example.org/v", bytes=6, sha256=hashlib.sha256(b"\x08voice").hexdigest())
    return catalogue.Model(name="voice", kind="tts", memory_mb=1, good_for="", licence="", files=[entry]), shelf


@needs_minisign
def test_bundle_holds_models_and_project_and_passes_its_own_check(tmp_path: Path) -> None:
    model, shelf = shelf_with_voice(tmp_path)
    out = tmp_path / "out"
    bundle.bundle(Plan(out, (model,), shelf, packages=False), lambda _: None)
    assert (out / "models" / "voice.onnx").read_bytes() == b"\x08voice"
    assert (out / "beside" / "models" / "catalog.yaml").read_bytes() == catalogue.CATALOG.read_bytes()
    assert not (out / "beside" / ".venv").exists()
    checked = bundle.check(out, None)
    assert checked.troubles == []
    assert checked.trusted
    (out / "models" / "voice.onnx").write_bytes(b"\x08vOice")
    assert bundle.check(out, None).troubles == ["models/voice.onnx: changed"]


def test_bundle_leaves_nothing_when_a_model_is_broken(tmp_path: Path) -> None:
    model, shelf = shelf_with_voice(tmp_path)
    (shelf / "voice.onnx").write_bytes(b"broken")
    with pytest.raises(InputError, match="First: beside models fetch voice"):
        bundle.bundle(Plan(tmp_path / "out", (model,), shelf, packages=False), lambda _: None)
    assert not list(tmp_path.glob("out*"))


def test_bundle_leaves_nothing_when_the_packages_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, shelf = shelf_with_voice(tmp_path)

    def fail(*_: object) -> None:
        raise EngineError("packages-unreachable", "No network.")

    monkeypatch.setattr(wheelhouse, "gather", fail)
    with pytest.raises(BesideError, match="No network"):
        bundle.bundle(Plan(tmp_path / "out", (model,), shelf), lambda _: None)
    assert not list(tmp_path.glob("out*"))


def test_bundle_does_not_write_over_a_folder(tmp_path: Path) -> None:
    model, shelf = shelf_with_voice(tmp_path)
    with pytest.raises(InputError, match="there already"):
        bundle.bundle(Plan(shelf, (model,), shelf, packages=False), lambda _: None)


def test_debian_packages_are_those_that_install_sh_asks_for() -> None:
    script = (ROOT / "install.sh").read_text(encoding="utf-8")
    (wanted,) = re.findall(r"local wanted=\(([^)]*)\)", script)
    either = re.findall(r"either (\S+) ([^)\s]+)\)", script)
    assert {*wanted.split(), "minisign"} == set(debian.ALWAYS)
    assert set(either) == set(debian.EITHER)


def test_build_flags_are_those_of_install_sh() -> None:
    script = (ROOT / "install.sh").read_text(encoding="utf-8")
    for flag in wheelhouse.BUILD_FLAGS.split():
        assert flag in script


def test_lock_blocks_find_the_engine_with_its_hashes() -> None:
    blocks = dict(wheelhouse.blocks((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    assert "--hash=sha256:" in blocks["llama-cpp-python"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", wheelhouse.engine_version())
    assert len(blocks) > 50


def test_stick_install_is_sound_shell() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", str(bundle.TEMPLATE)], check=True, timeout=60)


def test_stick_install_stops_when_a_file_was_changed(stick: Path, tmp_path: Path) -> None:
    script = bundle.TEMPLATE.read_text().replace("@RELEASE@", debian.release())
    (stick / "site.pub").write_text("untrusted comment: key\nRWQ\n")
    (stick / "install.sh").write_text(script)
    manifest.write(stick, ABOUT)
    (stick / "models" / "a.onnx").write_bytes(b"modem")
    target = tmp_path / "target"
    done = subprocess.run(
        ["sh", str(stick / "install.sh"), str(target)], capture_output=True, text=True, check=False, timeout=30, env={**os.environ}
    )
    assert done.returncode == 1
    assert "damaged or was changed" in done.stderr
    assert not target.exists()
