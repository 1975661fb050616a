"""The M of EMPATHY, mirroring: the person's statement turned round to them, as one sentence, or nothing.

"i miss my garden" is "You miss your garden." A small model copies a sentence that stands before it far better than it turns
one round by itself, so the prompt carries the mirror and the model says it and goes on. Only plain statements are turned: no
question, no broken sentence, nothing said to Beside itself, and nothing dark, for which written answers exist.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FEWEST_WORDS, MOST_WORDS, FRAGMENT_WORDS = 2, 12, 5
SLOTS = Path(__file__).resolve().parent.parent / "starter/corpus/slots.yaml"

TURNED: Mapping[str, str] = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "we": "you", "us": "you", "our": "your",
    "ours": "yours", "ourselves": "yourselves", "am": "are", "i'm": "you are", "i've": "you have", "i'd": "you'd", "i'll": "you'll",
    "we're": "you are", "we've": "you have", "we'd": "you'd", "we'll": "you'll",
}  # fmt: skip
_LEAD = re.compile(
    r"^(?:(?:well|yes|no|oh|but|and|so|because|maybe|perhaps|ah|um|uh|hm|right|okay|ok|look|see|actually|then|now|i mean|you know|you see"
    r"|the thing is|to be honest) )+"
)
_START = re.compile(
    r"^(?:i|my|we|our|i'm|i've|i'd|i'll|we're|we've|the|there|there's|nobody|everybody|everyone|no one|somebody|someone|nothing|everything"
    r"|he|she|he's|she's|they|they're|it|it's|his|her|their|this|these|those|both|all|last night|yesterday|today|tomorrow|sometimes|a|an"
    r"|one|every|in|at|on|under"
    r"|with|from)(?= )"
)
_VERB = re.compile(
    r"\b(?:am|is|are|was|were|i'm|i've|i'd|i'll|it's|he's|she's|there's|we're|we've|they're|have|has|had|do|does|did"
    r"|don't|doesn't|didn't|can|can't|could|couldn't"
    r"|will|won't|would|wouldn't|isn't|wasn't|aren't|weren't|haven't|hasn't|hadn't|never|want|need|miss|love|like|hate|feel|hear|see|know"
    r"|think|remember|hope|wish|keep|lie|dream|worry|wait|live|work|sit|sleep|hurts?|aches?|comes?|goes|went|came|got|gets?|took|gave|made"
    r"|said|told|saw|heard|lost|found|left|felt|kept|brought|slept|sang|sings?|grew|knew|thought|woke|ate|broke|fell|died|\w{3,}ed)\b"
)
# What must never come back to the person as a plain echo: the guardian and written answers are there for these.
_NEVER = re.compile(
    r"\b(?:die|dying|death|dead|kill|killed|suicide|end it|burden|useless|worthless|stupid|trouble|nuisance|bother"
    r"|promise|promised|tablets?|pills?|dose|morphine|stroke|cancer|tumour|infection|overdose|failure|fault|fool|ashamed|ugly|guilty|hate|you|your|you're|yours|yourself|machine|robot|computer|beside"
    r"|what|why|who|how|when|where|which|please|help|thanks|thank|sorry|hello|goodbye|morning|bye|if|shall|god)\b"
)
_OPEN = frozenset(
    re.findall(
        r"\S+",
        """
    a an the my your our his her their and or but because so that to of in on at for with from by about is was were are am be
    been i he she we they it i'm very too just like as than would could should can will have has had don't didn't not no this
    these going used
""",
    )
)
_SUBJECTS = frozenset(re.findall(r"\S+", "i i'm i've i'd i'll he he's she she's they they're we we're we've it's nobody"))
_JOINS = frozenset(
    re.findall(
        r"\S+",
        """
    and that when while where before after as than till until think know hope wish said says told me feel believe sure day way
    time times year night things thing all nothing everything something place one people afraid because since whether often what
    how much or but sometimes maybe today yesterday tomorrow home everyone who whom
""",
    )
)
_NAMES_THAT_ARE_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
    may will rose grace hope faith joy pat mark bill art june april august pearl violet ivy lily daisy iris hazel olive ruby dawn
    eve sunny frank ray rob jack sue dot bob drew grant guy max miles nick pip red rich rusty skip sandy tab tiger biscuit pepper
    ginger honey sugar toffee cookie smokey shadow lucky happy star blue snowy patch spot king prince duke duchess queen lady
    princess boots socks mittens
""",
    )
)


def mirror(said: str) -> str:
    """The mirror of one utterance as the recogniser gives it (lower case), or ""."""
    plain = _LEAD.sub("", " ".join(said.lower().replace("\u2019", "'").split()))
    words = plain.split()
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS or words[-1] in _OPEN:
        return ""
    known = names()
    if not (_START.match(plain) or words[0] in known) or _NEVER.search(plain):
        return ""
    if not _VERB.search(plain) and len(words) > FRAGMENT_WORDS:
        return ""
    if any(word in _SUBJECTS and words[at] not in _JOINS for at, word in enumerate(words[1:])):
        return ""  # two statements that the recogniser ran together: the turned sentence would not be one
    turned = " ".join(_turn(words, known))
    return f"{turned[0].upper()}{turned[1:]}."


def _turn(words: list[str], known: Mapping[str, str]) -> list[str]:
    out: list[str] = []
    for word in words:
        turned = TURNED.get(word) or known.get(word, word)
        if word == "was" and out and out[-1] == "you":
            turned = "were"
        elif word == "wasn't" and out and out[-1] == "you":
            turned = "weren't"
        elif word == "are" and out and out[-1] == "you" and turned == "am":
            turned = "are"
        out.append(turned)
    return out


@cache
def names() -> Mapping[str, str]:
    """Lower-cased names, towns and days → as they are written; the recogniser knows no capitals."""
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "Christmas", "Easter")
    found = {day.lower(): day for day in days}
    slot = ""
    for line in SLOTS.read_text(encoding="utf-8").splitlines() if SLOTS.is_file() else []:
        if line.startswith("heldout:"):
            break
        if match := re.match(r"^(\w+):", line):
            slot = match[1]
        if slot in ("name", "relative_name", "friend_name", "pet_name", "town"):
            for name in re.findall(r"\b[A-Z][a-zà-ÿ]+\b", line):
                if name.lower() not in _NAMES_THAT_ARE_WORDS:
                    found.setdefault(name.lower(), name)
    return found
