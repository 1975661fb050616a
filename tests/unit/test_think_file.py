import json

import pytest

from device.errors import InputError
from services.thinker.think_file import read

GOOD = {"name": "Maria", "emotion": "sad", "memories": ["my sister kept bees"], "history": [], "user": "i miss my garden"}


def file_of(tmp_path, *lines: object):
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_lines_are_read_and_empty_ones_passed_over(tmp_path):
    lines = read(file_of(tmp_path, GOOD, "", "   ", {"user": "hello", "history": [["a", "b"], {"user": "c", "beside": "d"}]}))
    assert [line.user for line in lines] == ["i miss my garden", "hello"]
    assert lines[0].face == "sad"
    assert [(said.user, said.beside) for said in lines[1].history] == [("a", "b"), ("c", "d")]


def test_emotion_is_the_face_or_else_the_feeling(tmp_path):
    lines = read(file_of(tmp_path, {"user": "x", "emotion": "happy"}, {"user": "x", "emotion": "lonely"}))
    assert [line.face for line in lines] == ["happy", ""]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ("not json", "not JSON"), ({"user": 3}, "user"), ({"user": ""}, "user"), ({"name": "Maria"}, "user"),
        ({"user": "x", "age": 80}, "age"), ({"user": "x", "emotion": "happpy"}, "emotion"), ({"user": "x", "history": ["a"]}, "history"),
        ("[]", "line"), ({"user": "x" * 5000}, "user"),
    ],
)  # fmt: skip
def test_wrong_line_is_named_with_its_number(tmp_path, wrong, word):
    with pytest.raises(InputError, match="line 3") as caught:
        read(file_of(tmp_path, GOOD, "", wrong))
    assert word in caught.value.sentence
    assert caught.value.remedy


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no line"):
        read(file_of(tmp_path, ""))
    with pytest.raises(InputError):
        read(tmp_path / "nowhere.jsonl")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError):
        read(tmp_path / "binary.jsonl")
