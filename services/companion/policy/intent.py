"""The rest of EMPATHY: which of the nine intents the answer takes, and why. Pure.

    Mirroring, Active listening   acknowledging, agreeing, questioning
    Perspective-taking            sympathizing before anything else when the person suffers; consoling where there is fear or shame
    Tailored response, Helping    encouraging, suggesting, wishing
    Yielding space                a wish for quiet is obeyed with one short sentence

Rows are tried in order; the first that fits decides. Distress is met before it is asked about, an unclear feeling is asked
about and not guessed, and after two answers with a question the third has none.
"""

import re
from dataclasses import dataclass

from device.events import Emotion, Exchange, FaceLabel, Intent
from services.companion.policy.feeling import Feeling

QUESTIONS_IN_A_ROW = 2
SORE: frozenset[Emotion] = frozenset({"sad", "lonely", "devastated", "disappointed", "jealous", "nostalgic", "sentimental"})
UNEASY: frozenset[Emotion] = frozenset({"afraid", "anxious", "apprehensive", "terrified", "ashamed", "guilty", "embarrassed"})
CROSS: frozenset[Emotion] = frozenset({"angry", "annoyed", "furious", "disgusted"})
FORWARD: frozenset[Emotion] = frozenset({"confident", "hopeful", "prepared", "anticipating", "excited"})
PAST: frozenset[Emotion] = frozenset({"nostalgic", "sentimental"})

# the intents of one stretch of the same mood, turn after turn
COURSE: tuple[tuple[frozenset[Emotion], tuple[Intent, ...]], ...] = (
    (PAST, ("questioning", "acknowledging", "sympathizing")),
    (SORE, ("sympathizing", "questioning", "consoling", "acknowledging")),
    (UNEASY, ("consoling", "questioning", "sympathizing", "suggesting")),
    (CROSS, ("acknowledging", "agreeing", "questioning", "sympathizing")),
    (FORWARD, ("encouraging", "questioning", "acknowledging")),
)
BRIGHT: tuple[Intent, ...] = ("acknowledging", "questioning", "agreeing")

_KINDS_OF_TALKER = "real|alive|human|person|machine|robot|computer|program|man|woman|nurse|doctor|someone|living"
_MACHINE = re.compile(
    rf"\bare you (?:really |actually |even |just |only )?(?:a |an )?(?:{_KINDS_OF_TALKER})\b|\b(?:who|what) are you\b"
    rf"|\bwhat(?:'s| is) your name\b|\bam i (?:talking|speaking) (?:to|with) (?:a |an )?(?:{_KINDS_OF_TALKER})\b"
)
_QUIET = re.compile(
    r"^(?:please |now |just |oh |can you |could you |would you )*"
    r"(?:be (?:quiet|silent|still)|leave me (?:alone|be|in peace)|shut up|stop talking"
    r"|do(?:n't| not) talk|hush|go away|no more talking|quiet"
    r"|i (?:want|need|would like|'d like) (?:some |to have |a bit of )*(?:quiet|silence|peace|peace and quiet|to be (?:left )?alone))"
    r"(?: please| now| for (?:a while|now|a bit|a moment)| to me)*$"
)
_GOODBYE = re.compile(
    r"^(?:(?:ok|okay|well|all right|alright|thank you|thanks|so|then|and|now|yes|no|right) )*"
    r"(?:good ?bye|bye(?: bye)?|good ?night|sleep well|see you (?:tomorrow|later|soon)|talk to you (?:tomorrow|later)|until tomorrow"
    r"|that(?:'s| is| will be|'ll be) (?:all|it|enough) for (?:now|today|tonight)"
    r"|i(?:'m| am) going to sleep|i(?:'ll| will) (?:go to )?sleep now)"
    r"(?: (?:bye|beside|then|now|dear|to you|and"
    r"|thank you|thanks|my friend|for now|you|sleep well|till tomorrow|tomorrow|good ?night|good ?bye))*$"
)
_THANKS = re.compile(r"\b(?:thank you|thanks|much obliged|you(?:'re| are) (?:kind|sweet|good to me|a dear))\b")
_HELLO = re.compile(
    r"^(?:(?:oh|well|hey) )*(?:hello|hi|hey|good (?:morning|afternoon|evening)|hiya)(?: (?:there|beside|dear|again|you|to you|my friend))*$"
)
_FACT = re.compile(
    r"^(?:and |but |so |oh |well |please |tell me |do you know |can you tell me )*"
    r"(?:what|when|where|who|which|how (?:many|much|old|far|long|late|does|do|is|are|big|high|tall)"
    r"|is|are|does|do|did|can|could|was|were|has|have|will)\b"
)
_YES_NO = re.compile(
    r"^(?:oh |well )*(?:yes|no|yeah|maybe|perhaps|i don't know|not really|i suppose|i guess so|mm+)"
    r"(?: (?:i do|i did|i don't|it is|it was|please))?$"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """How to answer. `line` names a fixed sentence that is said instead of the model's; `goodbye` ends the session after it."""

    intent: Intent
    why: str
    line: str = ""
    goodbye: bool = False


def choose(words: str, feeling: Feeling, history: tuple[Exchange, ...], intents: tuple[Intent, ...], face: FaceLabel | None) -> Choice:
    """`words` as recognised; `history` what was really heard, `intents` of the earlier answers, both oldest first."""
    plain = re.sub(r"[^\w' ]+", " ", words.lower()).strip()
    plain = re.sub(r"\s+", " ", plain)
    if choice := _by_words(plain):
        return choice
    choice = _by_feeling(plain, feeling, intents, face)
    asked = _questions_in_a_row(history)
    if choice.intent == "questioning" and asked >= QUESTIONS_IN_A_ROW:
        return Choice("acknowledging", f"{choice.why}; {asked} questions in a row are enough, so take up their words")
    return choice


def _by_words(plain: str) -> Choice | None:
    """What the words ask for, whatever the feeling."""
    if _MACHINE.search(plain):
        return Choice("neutral", "they ask who or what is talking: say plainly that it is a machine", line="machine_asked")
    if _QUIET.match(plain):
        return Choice("neutral", "they want quiet: yield space", line="quiet")
    if _GOODBYE.match(plain):
        return Choice("wishing", "they say goodbye", goodbye=True)
    if _HELLO.match(plain):
        return Choice("wishing", "a greeting is answered with a greeting")
    if _THANKS.search(plain) and len(plain.split()) <= 8:
        return Choice("acknowledging", "thanks are taken")
    return None


def _by_feeling(plain: str, feeling: Feeling, intents: tuple[Intent, ...], face: FaceLabel | None) -> Choice:
    sure = f"the words sound like {feeling}"
    suffers = feeling.clear and feeling.emotion in SORE | UNEASY | CROSS
    if _FACT.match(plain) and not suffers:
        return Choice("neutral", "a question wants an answer")
    if not feeling.clear:
        if _YES_NO.match(plain) or (intents and intents[-1] == "questioning"):
            return Choice("acknowledging", "a short answer to a question: show that it was heard")
        if face in ("sad", "afraid", "angry"):
            return Choice("questioning", f"the words do not say how they feel, the face looks {face}: ask, do not guess")
        return Choice("questioning", "the words do not say how they feel: ask, do not guess")
    for moods, course in COURSE:
        if feeling.emotion in moods:
            return Choice(_next(course, intents), sure)
    return Choice(_next(BRIGHT, intents), sure)


def _next(course: tuple[Intent, ...], intents: tuple[Intent, ...]) -> Intent:
    """The next step of a course: one past the last answer, if that answer was a step of it; else its beginning."""
    if intents and intents[-1] in course:
        return course[(course.index(intents[-1]) + 1) % len(course)]
    return course[0]


def _questions_in_a_row(history: tuple[Exchange, ...]) -> int:
    count = 0
    for exchange in reversed(history):
        if "?" not in exchange.beside:
            break
        count += 1
    return count
