"""What can happen to a turn, and what a turn can ask for: the words of the table in `turn.py`. Pure data."""

from dataclasses import dataclass

# ---- events ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Voice:
    turn: str


@dataclass(frozen=True, slots=True)
class Partial:
    turn: str
    text: str
    quiet_ms: int


@dataclass(frozen=True, slots=True)
class Final:
    turn: str
    text: str
    preface: str = ""  # to be said before the reply: that Beside is a machine, once a day


@dataclass(frozen=True, slots=True)
class Empty:
    turn: str


@dataclass(frozen=True, slots=True)
class FloorTaken:
    turn: str


@dataclass(frozen=True, slots=True)
class Clause:
    turn: str
    draft: int
    text: str
    scripted: bool = False


@dataclass(frozen=True, slots=True)
class ReplyOver:
    turn: str
    draft: int
    line: str = ""  # what to say if no clause came: "failed", "waking" or, for a reply that was empty, "nothing"


@dataclass(frozen=True, slots=True)
class Started:
    turn: str
    index: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    turn: str
    index: int
    last: bool
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Refused:
    turn: str
    index: int
    replaced: bool


@dataclass(frozen=True, slots=True)
class Stop:
    pass


@dataclass(frozen=True, slots=True)
class ThinkerGone:
    pass


@dataclass(frozen=True, slots=True)
class Tick:
    pass


Input = Voice | Partial | Final | Empty | FloorTaken | Clause | ReplyOver | Started | Heard | Refused | Stop | ThinkerGone | Tick

# ---- actions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    turn: str
    draft: int
    words: str


@dataclass(frozen=True, slots=True)
class Cancel:
    turn: str
    draft: int


@dataclass(frozen=True, slots=True)
class Plan:
    turn: str
    text: str  # what was said in this turn
    words: str  # what is answered: with the words of a turn that was broken off before it


@dataclass(frozen=True, slots=True)
class Say:
    turn: str
    index: int
    text: str
    last: bool = False
    scripted: bool = False
    line: str = ""  # the name of a fixed sentence, instead of a text


@dataclass(frozen=True, slots=True)
class Over:
    turn: str
    dropped: bool  # broken off before a sound: its words are answered with the next turn's


Action = Ask | Cancel | Plan | Say | Over
