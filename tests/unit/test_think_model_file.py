import contextlib
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.config import Config
from device.errors import EngineError
from services.thinker.model_file import STARTER, check, resolve
from tests import tiny_gguf


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_gguf.write(tmp_path_factory.mktemp("model") / "tiny.gguf")


def code(path) -> str:
    with pytest.raises(EngineError) as caught:
        check(path)
    assert caught.value.sentence.endswith(".")
    assert caught.value.remedy
    return caught.value.code


def test_header_of_a_whole_model_is_read(tiny):
    header = check(tiny)
    assert (header.architecture, header.context_tokens) == ("llama", 1024)


def test_file_that_is_no_model_is_refused(tmp_path):
    assert code(tmp_path / "nowhere.gguf") == "model-missing"
    assert code(tmp_path) == "model-wrong-kind"
    for number, content in enumerate([b"", b"<html>404</html>" * 10, b"GGUF", b"GGML" + bytes(64)]):
        file = tmp_path / f"{number}.gguf"
        file.write_bytes(content)
        assert code(file) == "model-wrong-kind"


def test_header_that_lies_about_its_counts_is_refused(tiny, tmp_path):
    raw = bytearray(tiny.read_bytes())
    for at, number in ((8, 2**60), (16, 2**60), (8, 0)):
        lying = raw.copy()
        lying[at : at + 8] = struct.pack("<Q", number)
        (tmp_path / "lying.gguf").write_bytes(lying)
        assert code(tmp_path / "lying.gguf") == "model-damaged"


@settings(max_examples=40)
@given(share=st.floats(0.0, 0.9999))
def test_file_cut_at_any_byte_is_refused(tiny, tmp_path_factory, share):
    raw = tiny.read_bytes()
    cut = tmp_path_factory.getbasetemp() / "cut.gguf"
    cut.write_bytes(raw[: int(len(raw) * share)])
    assert code(cut) in ("model-cut-short", "model-wrong-kind")


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(4, 4000), value=st.binary(min_size=1, max_size=8))
def test_damaged_header_is_refused_or_read_never_a_crash(tiny, tmp_path_factory, at, value):
    raw = bytearray(tiny.read_bytes())
    raw[at : at + len(value)] = value
    damaged = tmp_path_factory.getbasetemp() / "damaged.gguf"
    damaged.write_bytes(raw)
    with contextlib.suppress(EngineError):
        check(damaged)


def test_name_means_the_starter_a_catalogue_entry_or_a_path(tmp_path, tiny):
    def path_of(model: str):
        return resolve(Config.model_validate({"thinker": {"model": model}, "paths": {"models": str(tmp_path)}}))

    assert path_of("starter") == (STARTER, "starter")
    assert path_of(str(tiny)) == (tiny, "")
    assert path_of("my-model") == (tmp_path / "my-model.gguf", "")
    (tmp_path / "my-model.gguf").write_bytes(b"")
    assert path_of("my-model.gguf") == (tmp_path / "my-model.gguf", "")
