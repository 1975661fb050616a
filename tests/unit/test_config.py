"""The configuration: every mistake at once, and config.yaml equal to the schema."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from device.config import ROOT, Config, load
from device.config_mistakes import parse
from device.errors import ConfigError


def test_shipped_file_equals_the_defaults() -> None:
    assert load(ROOT / "config.yaml") == Config()


def test_shipped_file_names_every_key() -> None:
    written = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    for name, field in Config.model_fields.items():
        section = field.annotation
        assert section is not None
        assert list(written[name]) == list(section.model_fields), f"config.yaml and the schema differ in '{name}'"


def test_folders_are_the_same_wherever_beside_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = parse("paths:\n  data: conversations\n  run: /run/beside\n", "c").paths
    monkeypatch.chdir(tmp_path)
    there = parse("paths:\n  data: conversations\n  run: /run/beside\n", "c").paths
    assert here.data.absolute() == there.data.absolute() == ROOT / "conversations"
    assert there.run == Path("/run/beside")
    assert Config().paths.models.absolute() == ROOT / "models" / "fetched"


def test_all_mistakes_are_named_with_line_and_suggestion() -> None:
    text = "listener:\n  sst: vosk\n  turn_ceiling_ms: 90\nspeaker:\n  tts: pipr\nthinkr: {}\n"
    with pytest.raises(ConfigError) as caught:
        parse(text, "config.yaml")
    sentence = caught.value.sentence
    assert "4 mistakes" in sentence
    assert "line 2: 'listener.sst' is not a known key; did you mean 'stt'?" in sentence
    assert "line 3: 'listener.turn_ceiling_ms' is 90; expected at least 500" in sentence
    assert "line 5: 'speaker.tts' is 'pipr'; expected one of 'flite' or 'piper'. Did you mean 'piper'?" in sentence
    assert "line 6: 'thinkr' is not a known key; did you mean 'thinker'?" in sentence
    assert caught.value.exit_code == 78


def test_a_key_that_stands_twice_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="stands twice"):
        parse("person:\n  name: Ann\nperson:\n  name: Bea\n", "c")


@pytest.mark.parametrize("text", ["listener: [", "\tperson: 1", "just words", "- a\n- b", "a: &x [*x]"])
def test_what_is_no_configuration_gets_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "c")


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Name it with --config"):
        load(tmp_path / "none.yaml")


def test_an_empty_file_is_all_defaults() -> None:
    assert parse("", "c") == Config()


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(parse(text, "c"), Config)
