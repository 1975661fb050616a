"""A conversation in real time through every real engine: speech in, speech out, nothing lost, nothing made up."""

import re
import wave

import numpy as np
import pytest

from device.audio import RATE_HZ, level_dbfs, speech_end_sample
from device.wav import read_wav
from tests.rehearsed import Done, Rehearse

SAID = ("Good evening.", "I did not sleep well last night.", "I miss my garden.")
TIMES = ("endpoint_ms", "transcript_ms", "first_clause_ms", "first_sound_ms")
FIELDS = ["user_text", "reply_text", "heard_text", "interrupted", "emotions", "engines", *TIMES]
UNDERSTOOD = 0.5  # share of the words, for a synthesised voice: not the recogniser's score, only that it was this sentence


@pytest.fixture(scope="module")
def talk(rehearse: Rehearse) -> Done:
    done = rehearse("--say", *SAID)
    assert done.code == 0, done.stdout + done.stderr + done.logs()
    return done


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower()))


def test_every_utterance_becomes_one_turn_and_beside_s_own_voice_none(talk: Done) -> None:
    assert len(talk.rows) == len(SAID), talk.stdout


def test_turns_hold_what_was_said(talk: Done) -> None:
    for said, row in zip(SAID, talk.rows, strict=True):
        assert len(words(said) & words(row["user_text"])) >= UNDERSTOOD * len(words(said)), (said, row["user_text"])


def test_turns_hold_what_was_answered_and_heard(talk: Done) -> None:
    for row in talk.rows:
        assert list(row) == FIELDS
        assert row["heard_text"] == row["reply_text"] != ""
        assert row["interrupted"] is False
        assert row["emotions"] == []  # no camera, so no face
        assert row["engines"]["stt"]
        assert row["engines"]["tts"].startswith("flite")


def test_times_follow_each_other_from_the_true_end_of_speech(talk: Done) -> None:
    for row in talk.rows:
        assert all(isinstance(row[name], float) for name in TIMES), row
        assert 0 < row["endpoint_ms"] <= row["transcript_ms"] < row["first_sound_ms"] < 10_000
        assert row["first_clause_ms"] < row["first_sound_ms"]


def test_heard_wav_holds_beside_s_voice_after_the_person_s(talk: Done) -> None:
    heard, rate_hz = read_wav(talk.out / "heard.wav")
    assert rate_hz == RATE_HZ
    loud = np.flatnonzero(np.abs(heard.astype(np.int32)) > 300)
    assert loud.size > RATE_HZ  # more than a second of voice
    assert level_dbfs(heard[loud[0] : speech_end_sample(heard)]) > -45
    assert loud[0] > RATE_HZ  # the person spoke first, for longer than a second


def test_talk_wav_holds_both_voices_on_the_same_timeline(talk: Done) -> None:
    with wave.open(str(talk.out / "heard.wav")) as heard, wave.open(str(talk.out / "talk.wav")) as both:
        assert heard.getnframes() == both.getnframes()
    assert np.flatnonzero(read_wav(talk.out / "talk.wav")[0])[0] < RATE_HZ


def test_session_is_sealed_and_readable(talk: Done) -> None:
    log = (talk.out / "session.md").read_text(encoding="utf-8")
    for row in talk.rows:
        assert row["user_text"].split()[0] in log.lower()


def test_no_word_of_the_person_stands_in_any_log(talk: Done) -> None:
    assert talk.logs()
    assert "garden" not in talk.logs()


def test_conversation_is_told_as_it_happens(talk: Done) -> None:
    assert talk.stdout.count("Person") == len(SAID)
    assert "Beside" in talk.stdout
    assert str(talk.out) in talk.stdout
