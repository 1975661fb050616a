"""One value changes in config.yaml; not a blank, a comment or a line more."""

import difflib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from device.config import ROOT
from device.errors import ConfigError
from models.config_line import with_value

OURS = (ROOT / "config.yaml").read_text(encoding="utf-8")


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[:2] in ("+ ", "- ")]


def test_with_value_changes_one_line_when_the_key_is_there() -> None:
    after = with_value(OURS, "thinker", "model", "qwen3-4b-2507")
    old, new = changed_lines(OURS, after)
    assert "model: starter" in old
    assert "model: qwen3-4b-2507" in new
    assert new.partition("#")[2] == old.partition("#")[2]
    assert yaml.safe_load(after)["thinker"]["model"] == "qwen3-4b-2507"


def test_with_value_keeps_the_comment_in_its_column_when_there_is_room() -> None:
    text = "a:\n  b: starter         # why\n  cc: 1               # c\n"
    assert with_value(text, "a", "b", "longer-name").index("# why") == text.index("# why")


def test_with_value_replaces_an_empty_value() -> None:
    assert with_value("a:\n  b:\n  c: 1\n", "a", "b", "x") == "a:\n  b: x\n  c: 1\n"


def test_with_value_adds_the_key_when_it_is_missing() -> None:
    assert with_value("# top\na:\n  # inside\n  c: 1 # one\n", "a", "b", "x") == "# top\na:\n  # inside\n  b: x\n  c: 1 # one\n"


def test_with_value_adds_the_section_when_it_is_missing() -> None:
    assert yaml.safe_load(with_value("a:\n  c: 1", "z", "b", "x")) == {"a": {"c": 1}, "z": {"b": "x"}}
    assert yaml.safe_load(with_value("", "z", "b", "x")) == {"z": {"b": "x"}}


def test_with_value_understands_a_section_in_braces() -> None:
    assert yaml.safe_load(with_value("a: {c: 1}\n", "a", "b", "x")) == {"a": {"b": "x", "c": 1}}
    assert yaml.safe_load(with_value("a: {}\n", "a", "b", "x")) == {"a": {"b": "x"}}


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [", "just words"])
def test_with_value_refuses_what_is_no_configuration(text: str) -> None:
    with pytest.raises(ConfigError):
        with_value(text, "a", "b", "x")


@given(
    place=st.sampled_from([(s, k) for s, keys in yaml.safe_load(OURS).items() for k in keys]),
    value=st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60),
)
def test_with_value_changes_only_that_value_of_our_configuration(place: tuple[str, str], value: str) -> None:
    after = with_value(OURS, *place, value)
    wanted = yaml.safe_load(OURS)
    wanted[place[0]][place[1]] = value
    assert yaml.safe_load(after) == wanted
    assert len(changed_lines(OURS, after)) <= 2
    assert after.count("#") >= OURS.count("#")


@given(before=st.text("ab: \n#-{}[]'\"x", max_size=40))
def test_with_value_gives_yaml_or_an_error_for_any_text(before: str) -> None:
    try:
        after = with_value(before, "a", "b", "x")
    except ConfigError:
        return
    assert yaml.safe_load(after)["a"]["b"] == "x"
