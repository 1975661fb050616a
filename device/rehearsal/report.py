"""What a rehearsal measures, pure: events in, one row a turn out, in milliseconds from the true end of the person's speech."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from statistics import median

from device.clock import ms_between
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

BEFORE_CLIP_NS = 200_000_000  # a voice may be dated a little early
AFTER_CLIP_NS = 2_000_000_000  # later than this a voice cannot be the clip's: an echo, or a phantom
ANSWER_GAP_NS = 4_000_000_000  # no new clause for so long after the last: the answer is over, whatever is missing


@dataclass(frozen=True, slots=True)
class Spoken:
    """One clip in the air: monotonic begin and true end of its speech."""

    number: int  # 1, 2, 3 …
    begin_ns: int
    end_ns: int


@dataclass(slots=True)
class Turn:
    """All that was seen of one turn."""

    turn: str
    clip: Spoken | None = None
    final: TranscriptFinal | None = None
    moods: tuple[FaceMood, ...] = ()
    draft: int | None = None
    clause_ns: dict[int, int] = field(default_factory=dict)  # draft → its first clause
    requests: list[SpeechRequest] = field(default_factory=list)
    started: list[SpeechStarted] = field(default_factory=list)
    ended: list[SpeechEnded] = field(default_factory=list)
    model: str = ""

    @property
    def answered(self) -> bool:
        """The answer's last clause has been said or cut off."""
        return any(end.last for end in self.ended) and len(self.ended) >= len(self.requests)

    @property
    def interrupted(self) -> bool:
        return any(end.interrupted for end in self.ended)

    def row(self) -> dict[str, object]:
        """The line of turns.jsonl. A time is null when that thing never happened or no clip's end is known."""
        assert self.final is not None
        thought_ns = self.clause_ns.get(self.draft) if self.draft is not None else None
        released_ns = self.requests[0].at_ns if self.requests else None  # may be guardian's or the companion's own fixed words
        clause_ns = min((at_ns for at_ns in (thought_ns, released_ns) if at_ns is not None), default=None)
        return {
            "user_text": self.final.text,
            "reply_text": " ".join(request.text for request in self.requests if request.text),
            "heard_text": " ".join(end.heard_text for end in self.ended if end.heard_text),
            "interrupted": self.interrupted,
            "emotions": [{"label": mood.label, "share": round(mood.share, 3)} for mood in self.moods[:3]],
            "engines": {"stt": self.final.engine, "llm": self.model, "tts": self.ended[-1].engine if self.ended else ""},
            "endpoint_ms": self._after_speech(self.final.decided_ns or self.final.at_ns),
            "transcript_ms": self._after_speech(self.final.at_ns),
            "first_clause_ms": self._after_speech(clause_ns),
            "first_sound_ms": self._after_speech(min((s.first_sample_ns for s in self.started), default=None)),
        }

    def _after_speech(self, at_ns: int | None) -> float | None:
        return None if at_ns is None or self.clip is None else round(ms_between(self.clip.end_ns, at_ns), 1)


class Ledger:
    """Collects the events of a conversation into turns."""

    def __init__(self) -> None:
        self.turns: dict[str, Turn] = {}
        self.spoken: list[Spoken] = []
        self.faces: list[FaceSeen] = []
        self._open_voice: str = ""
        self._last_sound_ns = 0

    def heard_turns(self) -> list[Turn]:
        """The turns that have words, in order."""
        return [turn for turn in self.turns.values() if turn.final is not None]

    def of_clip(self, clip: Spoken) -> list[Turn]:
        return [turn for turn in self.heard_turns() if turn.clip == clip]

    def echoes(self) -> list[Turn]:
        """Turns that no clip explains: Beside heard itself, or nothing at all."""
        return [turn for turn in self.heard_turns() if turn.clip is None]

    def settled(self, now_ns: int) -> bool:
        """Nobody speaks, nothing is being understood, and every turn with words has had its whole answer."""
        if self._open_voice:
            return False
        return all(turn.answered or self._given_up(turn, now_ns) for turn in self.heard_turns())

    def _given_up(self, turn: Turn, now_ns: int) -> bool:
        return len(turn.ended) > 0 and len(turn.ended) >= len(turn.requests) and now_ns - turn.ended[-1].at_ns > ANSWER_GAP_NS

    def note(self, event: Event) -> Turn | None:
        """Take one event; the turn it changed, if any."""
        match event:
            case FaceSeen():
                self.faces.append(event)
                return None
            case VoiceStarted():
                self._open_voice = event.turn
                return None
            case TranscriptEmpty():
                self._close_voice(event)
                return None
        if not event.turn:
            return None
        turn = self.turns.setdefault(event.turn, Turn(event.turn))
        match event:
            case TranscriptFinal():
                self._close_voice(event)
                turn.final = event
                turn.clip = self._clip_of(event)
                turn.moods = self.faces[-1].moods if self.faces else ()
            case ReplyRequest():
                turn.draft = event.draft
            case ReplyClause():
                turn.clause_ns.setdefault(event.draft, event.at_ns)
            case ReplyEnded():
                turn.model = event.model or turn.model
            case SpeechRequest():
                turn.requests.append(event)
            case SpeechStarted():
                turn.started.append(event)
            case SpeechEnded():
                turn.ended.append(event)
        return turn

    def _close_voice(self, event: Event) -> None:
        if event.turn == self._open_voice:
            self._open_voice = ""

    def _clip_of(self, final: TranscriptFinal) -> Spoken | None:
        for clip in reversed(self.spoken):
            if clip.begin_ns - BEFORE_CLIP_NS <= final.speech_start_ns <= clip.end_ns + AFTER_CLIP_NS:
                return clip
        return None


def face_line(event: FaceSeen, begin_ns: int) -> str:
    """One line of emotions.txt: seconds since the rehearsal began, then the moods or why there are none."""
    moods = "  ".join(f"{mood.label} {mood.share:.2f}" for mood in event.moods[:3])
    return f"{ms_between(begin_ns, event.at_ns) / 1000:8.1f} s  {moods or f'unknown ({event.unknown_because})'}"


def median_p95(values: Iterable[float | None]) -> tuple[float, float] | None:
    """Median and 95th percentile (nearest rank) of the values that exist; None if there are none."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return median(known), known[ceil(0.95 * len(known)) - 1]
