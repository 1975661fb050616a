"""One readable line an event."""

from pathlib import Path

import pytest

from device import tap
from device.errors import BusError
from device.events import FaceMood, FaceSeen, ReplyEnded, StateChanged, TranscriptPartial, VoiceStarted
from device.tap import line

BOTH = {"at_ns": 12_345_678_900}


def test_a_line_has_time_topic_and_the_events_own_fields() -> None:
    event = TranscriptPartial(text="i miss my garden", quiet_ms=0, **BOTH)
    assert line(event, colour=False) == "      12.346  transcript.partial  text=i miss my garden  quiet_ms=0"


def test_zero_is_a_fact_and_nothing_is_left_out_but_emptiness() -> None:
    assert line(FaceSeen(faces=0, unknown_because="no-face", **BOTH), False).endswith("faces=0  unknown_because=no-face")
    assert "moods" not in line(FaceSeen(faces=0, **BOTH), False)
    assert '"happy"' in line(FaceSeen(faces=1, moods=(FaceMood(label="happy", share=0.5),), **BOTH), False)
    ended = ReplyEnded(draft=0, why="complete", clauses=0, first_token_ms=0.0, tokens=0, tokens_per_s=0.0, model="m", **BOTH)
    assert "first_token_ms=0.0" in line(ended, False)


def test_a_state_names_its_service() -> None:
    assert "state speaker" in line(StateChanged(service="speaker", state="ready", **BOTH), False)


def test_an_event_without_fields_is_time_and_topic() -> None:
    assert line(VoiceStarted(**BOTH), False).split() == ["12.346", "voice.started"]


def test_colour_is_there_when_asked_for() -> None:
    assert "\033[36m" in line(VoiceStarted(**BOTH), True)


def test_a_text_cannot_rewrite_the_terminal() -> None:
    shown = line(TranscriptPartial(text="a\x1b[2Jb\nc\r\u202ed", quiet_ms=0, **BOTH), False)
    assert shown.isprintable()
    assert "a [2Jb c" in shown


def test_a_house_that_is_not_up_is_a_sentence_and_no_endless_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "tap").write_text("left by the last house", encoding="ascii")
    (tmp_path / "config.yaml").write_text(f"paths: {{run: {tmp_path}}}\n", encoding="utf-8")
    monkeypatch.setenv("BESIDE_CONFIG", str(tmp_path / "config.yaml"))
    assert tap.main([]) == 69
    assert "beside up" in capsys.readouterr().err


def test_a_second_tap_is_refused_while_the_first_one_looks(tmp_path: Path) -> None:
    password = tmp_path / "tap"
    password.touch()
    with tap.alone(password), pytest.raises(BusError) as failed, tap.alone(password):
        pass
    assert failed.value.code == "tap-busy"
    with tap.alone(password):  # and again, once the first one has gone
        pass
