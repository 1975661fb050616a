"""The catalogue itself: every entry usable, every claim of it in one voice with the code that reads it."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

from device.config import ROOT
from device.errors import InputError
from models import catalogue
from models.catalogue import CATALOG, KINDS, Family, Kind, ModelFile, load
from models.recommend import recommend

RAW = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))


def test_catalogue_loads_and_has_every_kind() -> None:
    assert {m.kind for m in load().models} == set(get_args(Kind)) == set(KINDS)


def test_catalogue_names_what_the_services_open() -> None:
    files = {f.file for m in load().needed for f in m.files}
    assert files == {
        "minilm.safetensors", "minilm-tokenizer.json", "emotion_model_quantized.tflite", "silero_vad.onnx", "smart-turn-v3.2-cpu.onnx",
    }  # fmt: skip


def test_catalogue_takes_what_is_needed_from_packages_with_hash_and_size() -> None:
    assert all(f.wheel and f.sha256 and f.bytes for m in load().needed for f in m.files)


def test_catalogue_places_language_models_under_their_own_name() -> None:
    for model in load().models:
        if model.kind == "llm" and model.name != "starter":
            assert [f.placed for f in model.files] == [f"{model.name}.gguf"]


def test_catalogue_explains_every_caution_and_uses_each() -> None:
    used = {c for m in load().models for c in m.cautions}
    assert used == set(load().cautions)


def test_catalogue_recommends_nothing_that_is_unfit_for_talk_or_unproven() -> None:
    unfit = {"always-thinks", "recurrent", "research-only", "non-commercial", "lessac-based", "not-wired"}
    for profile in load().profiles:
        for name, why in profile.choices:
            model = load().find(name)
            assert not unfit & set(model.cautions), name
            assert not model.single_source, name
            assert name == "starter" or all(f.sha256 for f in model.files), name
            assert len(why) > 30


def test_catalogue_names_the_prompt_families_that_the_thinker_writes() -> None:
    from services.thinker.prompt import FAMILIES

    assert {*get_args(Family)} == {"starter", *FAMILIES}


def broken(change: str) -> dict[str, object]:
    raw: dict[str, object] = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))
    models = raw["models"]
    assert isinstance(models, list)
    first = models[0]
    if change == "twice":
        models.append(first)
    elif change == "slash":
        first["files"][0]["file"] = "../minilm"
    elif change == "http":
        first["files"][0]["url"] = "http://example.org/x"
    elif change == "no origin":
        first["files"][0] = {"file": "x", "bytes": 1}
    elif change == "half a wheel":
        del first["files"][0]["member"]
    elif change == "strange key":
        first["shoe_size"] = 44
    elif change == "caution":
        first["cautions"] = ["never-heard-of"]
    elif change == "hash":
        first["files"][0]["sha256"] = "abc"
    elif change == "profile":
        raw["profiles"][0]["llm"] = "vosk-en"  # type: ignore[index]  # a list of mappings
    return raw


@pytest.mark.parametrize("change", ["twice", "slash", "http", "no origin", "half a wheel", "strange key", "caution", "hash", "profile"])
def test_catalogue_is_refused_when(change: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(yaml.safe_dump(broken(change)))
    with pytest.raises(InputError, match="cannot be used"):
        load(path)


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\0"])
def test_catalogue_is_refused_when_it_is_no_catalogue(text: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be used"):
        load(path)


def test_find_says_what_comes_near_when_a_name_is_unknown() -> None:
    with pytest.raises(InputError, match="vosk-en"):
        load().find("vosk-eng")


def test_unpacked_files_lie_in_the_folder_of_their_name() -> None:
    assert ModelFile(file="vosk-model-en-us-0.22-lgraph.zip", url="https://x", unpack=True).placed == "vosk-model-en-us-0.22-lgraph"


@pytest.mark.parametrize(
    ("memory_mb", "profile_gb"), [(3_900, 0), (7_500, 8), (8_000, 8), (15_400, 16), (24_000, 16), (32_600, 32), (64_000, 32)]
)
def test_recommend_takes_the_largest_profile_that_fits(memory_mb: int, profile_gb: int) -> None:
    advice = recommend(load(), memory_mb)
    assert advice.profile.memory_gb == profile_gb
    assert [c.model.kind for c in advice.choices] == ["llm", "stt", "tts"]
    assert advice.memory_mb < memory_mb


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "models", *args], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)


def test_command_verify_names_the_broken_file_and_ends_with_one(tmp_path: Path) -> None:
    (tmp_path / "silero_vad.onnx").write_bytes(b"rotten")
    done = run("verify", "silero-vad", "--into", str(tmp_path))
    assert done.returncode == 1
    assert "BROKEN  silero-vad: silero_vad.onnx: silero_vad.onnx is 6 bytes, not 2,327,524." in done.stdout


@pytest.mark.parametrize("args", [["fetch"], ["fetch", "nonesuch"], ["list", "nonesuch"], ["fetch", "gemma-3n-e2b", "--sha256", "abc"]])
def test_command_says_a_plain_sentence_when_it_cannot(args: list[str], tmp_path: Path) -> None:
    done = run(*args, "--into", str(tmp_path))
    assert done.returncode == 65
    assert done.stderr.startswith("beside models: ")
    assert "Traceback" not in done.stderr


def test_place_of_a_project_file_is_in_the_project(tmp_path: Path) -> None:
    (starter,) = load().find("starter").files
    assert catalogue.place_of(starter, tmp_path) == ROOT / "models" / "starter" / "beside-starter.gguf"
