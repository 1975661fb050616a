"""The report: which turn belongs to which clip, its times from the true end of speech, and when an answer is over."""

from device.events import (
    Event,
    FaceMood,
    FaceSeen,
    ReplyClause,
    ReplyEnded,
    ReplyRequest,
    SpeechEnded,
    SpeechRequest,
    SpeechStarted,
    TranscriptEmpty,
    TranscriptFinal,
    VoiceStarted,
)
from device.rehearsal.report import Ledger, Spoken, face_line, median_p95

MS = 1_000_000
END = 5_000 * MS  # the true end of speech
CLIP = Spoken(1, 3_000 * MS, END)
FIELDS = [
    "user_text",
    "reply_text",
    "heard_text",
    "interrupted",
    "emotions",
    "engines",
    "endpoint_ms",
    "transcript_ms",
    "first_clause_ms",
    "first_sound_ms",
]


def final(at_ms: int = 5_240, start_ms: int = 3_050, turn: str = "t1") -> TranscriptFinal:
    return TranscriptFinal(
        turn=turn, at_ns=at_ms * MS, text="i slept badly", engine="sphinx", speech_start_ns=start_ms * MS, speech_end_ns=END,
        decided_ns=(at_ms - 10) * MS, decided_by="model-and-words",
    )  # fmt: skip


def clause(index: int, last: bool, at_ms: int) -> list[Event]:
    words = ("That is hard.", "Tell me more.")[index]
    return [
        SpeechRequest(turn="t1", at_ns=at_ms * MS, index=index, text=words, by="companion", last=last),
        SpeechStarted(turn="t1", index=index, text=words, duration_ms=700, first_sample_ns=(at_ms + 50) * MS),
        SpeechEnded(
            turn="t1", at_ns=(at_ms + 800) * MS, index=index, text=words, heard_text=words, heard_ms=700,
            interrupted=False, last=last, engine="flite-slt",
        ),
    ]  # fmt: skip


def ledger_of(*events: Event) -> Ledger:
    ledger = Ledger()
    ledger.spoken.append(CLIP)
    for event in events:
        ledger.note(event)
    return ledger


def whole_turn() -> Ledger:
    return ledger_of(
        FaceSeen(moods=(FaceMood(label="sad", share=0.5),), faces=1),
        VoiceStarted(turn="t1"),
        ReplyRequest(turn="t1", draft=1, who="", history=(), face=None, feeling="sad", intent="consoling", last_words="i", limit_ms=1),
        ReplyClause(turn="t1", at_ns=5_100 * MS, draft=1, index=0, text="thrown away"),
        ReplyRequest(turn="t1", draft=2, who="", history=(), face=None, feeling="sad", intent="consoling", last_words="i", limit_ms=1),
        final(),
        ReplyClause(turn="t1", at_ns=5_300 * MS, draft=2, index=0, text="That is hard."),
        ReplyEnded(turn="t1", draft=2, why="complete", clauses=2, first_token_ms=1.0, tokens=9, tokens_per_s=9.0, model="starter"),
        *clause(0, last=False, at_ms=5_310),
        *clause(1, last=True, at_ms=6_200),
    )


def test_row_has_exactly_the_promised_fields_when_the_turn_is_whole() -> None:
    row = whole_turn().heard_turns()[0].row()
    assert list(row) == FIELDS
    assert row["reply_text"] == row["heard_text"] == "That is hard. Tell me more."
    assert row["emotions"] == [{"label": "sad", "share": 0.5}]
    assert row["engines"] == {"stt": "sphinx", "llm": "starter", "tts": "flite-slt"}
    assert (row["endpoint_ms"], row["transcript_ms"], row["first_clause_ms"], row["first_sound_ms"]) == (230.0, 240.0, 300.0, 360.0)


def test_times_are_negative_when_the_person_was_cut_off() -> None:
    row = ledger_of(final(at_ms=4_000)).heard_turns()[0].row()
    assert row["transcript_ms"] == -1000.0
    assert row["first_sound_ms"] is None


def test_turn_is_nobodys_when_no_clip_was_in_the_air() -> None:
    ledger = ledger_of(final(start_ms=9_000, at_ms=10_000))
    assert [turn.turn for turn in ledger.echoes()] == ["t1"]
    assert ledger.of_clip(CLIP) == []
    assert ledger.heard_turns()[0].row()["endpoint_ms"] is None


def test_settled_only_after_the_last_clause_has_ended() -> None:
    ledger = ledger_of(VoiceStarted(turn="t1"))
    assert not ledger.settled(END)
    ledger.note(final())
    assert not ledger.settled(END)
    for event in clause(0, last=False, at_ms=5_300):
        ledger.note(event)
    assert not ledger.settled(6_100 * MS)
    for event in clause(1, last=True, at_ms=6_200):
        ledger.note(event)
    assert ledger.settled(7_000 * MS)


def test_settled_at_last_when_the_last_clause_never_comes() -> None:
    ledger = ledger_of(final(), *clause(0, last=False, at_ms=5_300))
    assert not ledger.settled(7_000 * MS)
    assert ledger.settled(12_000 * MS)


def test_settled_when_the_voice_had_no_words() -> None:
    ledger = ledger_of(VoiceStarted(turn="t9"), TranscriptEmpty(turn="t9", reason="no-words"))
    assert ledger.settled(END)
    assert ledger.heard_turns() == []


def test_face_line_names_the_reason_when_there_is_no_face() -> None:
    seen = FaceSeen(at_ns=2_500 * MS, faces=0, unknown_because="no-face")
    assert face_line(seen, 0).split() == ["2.5", "s", "unknown", "(no-face)"]


def test_median_and_p95_of_what_there_is() -> None:
    assert median_p95([None, None]) is None
    assert median_p95([float(n) for n in range(1, 101)]) == (50.5, 95.0)
    assert median_p95([7.0, None]) == (7.0, 7.0)
