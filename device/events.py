"""Every event on Beside's bus, in the order in which a turn flows. Read this file and you know the appliance.

Facts are `noun.participle` and may go unheard; requests are `noun.imperative` and have exactly one owner. An event whose
`must_arrive` is true travels at QoS 1 and reaches the recorder even across a crash (it acknowledges after its commit);
the others may be lost. A `retained` event is told again to whoever comes later. Audio and pictures never travel.

A turn is one utterance of the user and its reply. The listener names it when a voice begins; `session` is empty until the
companion has put the turn into a session (`turn.planned`).
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from device import clock

Emotion = Literal[
    "afraid", "angry", "annoyed", "anticipating", "anxious", "apprehensive", "ashamed", "caring", "confident", "content",
    "devastated", "disappointed", "disgusted", "embarrassed", "excited", "faithful", "furious", "grateful", "guilty", "hopeful",
    "impressed", "jealous", "joyful", "lonely", "nostalgic", "prepared", "proud", "sad", "sentimental", "surprised", "terrified",
    "trusting",
]  # fmt: skip
Intent = Literal["questioning", "agreeing", "acknowledging", "encouraging", "consoling", "sympathizing", "suggesting", "wishing", "neutral"]
FaceLabel = Literal["angry", "disgusted", "afraid", "happy", "sad", "surprised", "neutral"]
Level = Literal["none", "T3", "T2", "T1"]  # routing states, never a risk score: T3 benign use, T2 implicit, T1 explicit
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Text = Annotated[str, Field(max_length=4000)]


class Event(BaseModel):
    """The header that every event carries."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    topic: ClassVar[str] = ""
    must_arrive: ClassVar[bool] = False
    retained: ClassVar[bool] = False

    v: Literal[1] = 1
    id: str = Field(default_factory=clock.new_id)  # unique; inserts are idempotent by it
    session: str = ""  # empty until the companion has opened one
    turn: str = ""  # named by the listener; empty outside a turn
    boot: str = Field(default_factory=clock.boot_id)
    at_ns: int = Field(default_factory=clock.now_ns)  # monotonic
    wall_s: float = Field(default_factory=clock.wall_s)  # seconds since 1970, may jump


# ---- hearing ---------------------------------------------------------------------------------------------------------


class VoiceStarted(Event):
    """Someone began to speak (the VAD triggered); names the turn."""

    topic = "voice.started"


class TranscriptPartial(Event):
    """What has been understood so far, while the person speaks or pauses."""

    topic = "transcript.partial"
    text: Text  # lower case, no punctuation
    quiet_ms: int  # silence since the last voiced sample; 0 while speaking


class TranscriptFinal(Event):
    """The turn is over; these were the words."""

    topic = "transcript.final"
    must_arrive = True
    text: Text
    alternatives: tuple[Text, ...] = ()  # other readings, best first
    confidence: Share | None = None  # None where the engine gives alternatives instead
    engine: str
    speech_start_ns: int  # monotonic, first voiced sample
    speech_end_ns: int  # monotonic, last voiced sample
    decided_ns: int = 0  # monotonic, when the turn was called over (the words follow); 0: not told
    decided_by: Literal["model-and-words", "silence", "ceiling", "too-long", "typed"]


class TranscriptEmpty(Event):
    """A voice was heard but no words: a cough, a murmur, a phantom. Never a turn."""

    topic = "transcript.empty"
    reason: Literal["no-words", "too-short", "low-confidence", "phantom"]


class StopHeard(Event):
    """The stop word was spotted while Beside was speaking."""

    topic = "stop.heard"
    word: str


# ---- looking ---------------------------------------------------------------------------------------------------------


class FaceMood(BaseModel):
    """One label of the face with its smoothed share."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    label: FaceLabel
    share: Share


class FaceSeen(Event):
    """The face's three strongest moods, or why there is none. A hint for the tone, never a fact about the person."""

    topic = "face.seen"
    moods: tuple[FaceMood, ...] = ()  # top 3, strongest first; empty when unknown
    faces: int  # in the picture
    unknown_because: Literal["", "no-face", "many-faces", "black", "frozen", "no-camera", "unsure"] = ""


# ---- judging ---------------------------------------------------------------------------------------------------------


class TranscriptJudged(Event):
    """Guardian has read this turn's words. Until this arrives, no clause of the turn is released."""

    topic = "transcript.judged"
    must_arrive = True
    level: Level
    rules: tuple[str, ...] = ()  # ids of the rules that fired, with the version of the rule set
    takes_floor: bool = False  # guardian answers this turn itself; the companion stays silent


class AlarmRaised(Event):
    """Help or crisis: stored before a word is spoken."""

    topic = "alarm.raised"
    must_arrive = True  # and not retained: the broker's store must not keep words that may be forgotten
    alarm: str  # its id
    level: Level
    kind: Literal["help", "crisis", "medical", "abuse"]
    rules: tuple[str, ...]
    words: Text  # what was understood


# ---- conducting ------------------------------------------------------------------------------------------------------


class SessionOpened(Event):
    """A conversation begins with the first words."""

    topic = "session.opened"
    must_arrive = True
    who: str  # the person's name, empty if unknown


class TurnPlanned(Event):
    """The turn belongs to this session; this is how it will be answered, and why."""

    topic = "turn.planned"
    must_arrive = True
    user_text: Text
    feeling: Emotion
    feeling_share: Share  # how sure the words make us
    intent: Intent
    why: str  # one line for people: which examples and rules led to feeling and intent
    face: FaceLabel | None = None  # the mood that was given as a hint, if any


class Exchange(BaseModel):
    """One earlier turn of this conversation: what was understood and what was really heard."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    user: Text
    beside: Text


class ReplyRequest(Event):
    """Companion asks the thinker for a reply. A draft begins while the silence is still judged and may be thrown away."""

    topic = "reply.request"
    draft: int  # counts up within a turn
    who: str
    history: tuple[Exchange, ...]  # oldest first
    face: FaceLabel | None
    feeling: Emotion
    intent: Intent
    last_words: Text
    limit_ms: int  # the thinker stops by itself after this


class ReplyCancel(Event):
    """Stop thinking about this turn (every draft of it up to `draft`)."""

    topic = "reply.cancel"
    draft: int


class ReplyClause(Event):
    """The next clause of a reply, as soon as it is whole."""

    topic = "reply.clause"
    draft: int
    index: int  # 0, 1, 2 … within the draft
    text: Text


class ReplyEnded(Event):
    """No more clauses will come for this draft."""

    topic = "reply.ended"
    must_arrive = True
    draft: int
    why: Literal["complete", "cancelled", "limit", "empty", "failed"]
    clauses: int
    first_token_ms: float  # from request to first token
    tokens: int
    tokens_per_s: float
    model: str
    memories: tuple[str, ...] = ()  # ids of the memories that stood in the prompt


# ---- speaking --------------------------------------------------------------------------------------------------------


class SpeechProposed(Event):
    """Companion would like this said. Only guardian can make it a request."""

    topic = "speech.proposed"
    index: int
    text: Text
    last: bool  # the reply's last clause
    scripted: bool  # fixed words of the companion (greeting, honesty, slow thinker), not the model's
    deadline_ns: int  # monotonic; past it the clause is stale and dropped


class SpeechRefused(Event):
    """Guardian did not let a clause pass and said something else, or nothing."""

    topic = "speech.refused"
    must_arrive = True
    index: int
    text: Text
    rule: str
    replaced_by: Text  # empty when the clause was dropped


class SpeechRequest(Event):
    """Say this. Only guardian's account may write it."""

    topic = "speech.request"
    must_arrive = True
    index: int
    text: Text
    by: Literal["companion", "guardian"]
    last: bool
    urgent: bool = False  # drop whatever is being said or queued and say this now


class SpeechStop(Event):
    """Be silent now and forget what is queued. Only guardian's account may write it."""

    topic = "speech.stop"
    must_arrive = True
    why: Literal["stop-word", "urgent", "voice", "shutdown"]


class SpeechStarted(Event):
    """The first sample of a clause goes out now."""

    topic = "speech.started"
    index: int
    text: Text
    duration_ms: int  # if nobody stops it
    first_sample_ns: int  # monotonic, first audible sample


class SpeechEnded(Event):
    """What was really heard of a clause."""

    topic = "speech.ended"
    must_arrive = True
    index: int
    text: Text  # as requested
    heard_text: Text  # the words whose sound went out, whole words only
    heard_ms: int
    interrupted: bool
    last: bool
    engine: str


# ---- remembering -----------------------------------------------------------------------------------------------------


class MemoryNoted(Event):
    """Companion found something worth remembering in the person's words."""

    topic = "memory.noted"
    must_arrive = True
    text: Text  # the person's own words
    who: str
    source: Literal["said", "family", "caregiver"]


class MemoriesRequest(Event):
    """The thinker starts and wants every memory row."""

    topic = "memories.request"


class MemoryKept(Event):
    """One memory row, new or told again; `left` counts down to 0 when told again."""

    topic = "memory.kept"
    memory: str  # its id
    text: Text
    who: str
    source: Literal["said", "family", "caregiver"]
    from_session: str
    said_wall_s: float
    left: int = 0


class ForgetRequest(Event):
    """An operator asks to erase one session with its memories, or everything."""

    topic = "forget.request"
    must_arrive = True
    forget_session: str  # empty: everything
    by: str


class MemoryForgotten(Event):
    """The rows are gone: each service erases what it holds of them; the thinker rebuilds its index from what is told again."""

    topic = "memory.forgotten"
    must_arrive = True  # also to a guardian that is being started again: its alarms hold words
    request: str  # id of the forget.request
    everything: bool
    forget_session: str = ""  # empty: everything
    turns: tuple[str, ...] = ()  # of the session; a long one is told in several events
    memories: tuple[str, ...]  # ids


class MemoryErased(Event):
    """The thinker's proof: the index was rebuilt and holds `indexed` vectors."""

    topic = "memory.erased"
    request: str
    indexed: int


class ForgetDone(Event):
    """The recorder's proof: what was erased, and that a search found nothing left."""

    topic = "forget.done"
    request: str
    sessions: int
    turns: int
    memories: int
    sentence: str  # for people


# ---- keeping ---------------------------------------------------------------------------------------------------------


class SessionClosed(Event):
    """The conversation is over."""

    topic = "session.closed"
    must_arrive = True
    why: Literal["goodbye", "quiet", "shutdown"]


class SessionSealed(Event):
    """The session log is written; what consent does not keep is erased."""

    topic = "session.sealed"
    log: str  # path of the Markdown log
    turns: int


class ConsentRequest(Event):
    """An operator or the person gives or withdraws a consent."""

    topic = "consent.request"
    must_arrive = True
    what: Literal["camera", "keep-emotions"]
    given: bool
    by: str


class ConsentChanged(Event):
    """The consents in force."""

    topic = "consent.changed"
    must_arrive = True
    retained = True
    camera: bool
    keep_emotions: bool


class StateChanged(Event):
    """How a service is; retained, one topic per service (`beside/state/<service>`)."""

    topic = "state.changed"
    retained = True
    service: str
    state: Literal["starting", "ready", "degraded", "gone"]
    code: str = ""  # kebab-case, empty when ready
    sentence: str = ""  # for people
    remedy: str = ""


def all_events() -> tuple[type[Event], ...]:
    """Every event class, in the order of this file."""
    return tuple(Event.__subclasses__())


BY_TOPIC: dict[str, type[Event]] = {event.topic: event for event in all_events()}
