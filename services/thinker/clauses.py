"""Streaming text cut into clauses that can be spoken on their own. Pure.

The first clause should be early, but a clause of one or two words sounds chopped and ends before the next one is ready: it
lasts at least about 0.8 s (three words and twelve letters). A clause ends after . ? ! ; : … and, once it is long enough,
after a comma or a dash. Joined, the clauses are the text, letter for letter.
"""

import re

LEAST_WORDS, LEAST_CHARS = 3, 12  # about 0.8 s of calm speech
COMMA_CHARS_FIRST, COMMA_CHARS_LATER = 18, 48  # early for the first sound, later whole phrases sound better
MOST_CHARS = 240  # text without any punctuation is cut between words

_END = re.compile(r"(?P<stop>[.?!;:\u2026]+|[,\u2014\u2013]|(?<=\s)-)(?P<close>[\"'\u201d\u2019)]*)(?P<space>\s+)(?=\S)")
_TITLE = re.compile(r"(?:^|[\s(\"'])(?:mr|mrs|ms|dr|st|prof|sr|jr|rev|no|vs|e\.g|i\.e|etc|a\.m|p\.m|[a-z])\.$", re.IGNORECASE)
_STAGE = re.compile(r"\*[^*]{0,80}\*|\([^)]{0,80}\)|\[[^\]]{0,80}\]")
_SYMBOLS = re.compile(r"[*_#`~<>|\[\]{}\\^=]+")


_CALLED = re.compile(r"(?P<comma>, )(?P<name>[A-Z][a-z\u00e0-\u00ff]+)(?=[.?!,;]|$)|^(?P<first>[A-Z][a-z\u00e0-\u00ff]+)(?=, |[.?!]?$)")
_NO_NAMES = frozenset(
    re.findall(
        r"\S+",
        """
    beside monday tuesday wednesday thursday friday saturday sunday god yes no good well oh thanks sorry please then still maybe perhaps
    true right often never always slowly again today tomorrow tonight now here there so sometimes nothing nobody quiet gently
""",
    )
)


def without_strangers(clause: str, known: str) -> str:
    """The clause without a name by which it calls somebody of whom nobody spoke: a small model makes such names up.

    `known` is everything the person, the history and the memories hold. Only a name set off by a comma, or alone, is taken out.
    """
    there = frozenset(re.findall(r"[^\W\d_]+", known.lower()))

    def taken(match: re.Match[str]) -> str:
        name = match["name"] or match["first"]
        return match[0] if name.lower() in there or name.lower() in _NO_NAMES else ""

    kept = _CALLED.sub(taken, clause.strip()).lstrip(" ,.?!")
    return f"{kept[:1].upper()}{kept[1:]}" if kept != clause.strip() else clause


class Splitter:
    """`feed` each piece of text as it comes, then `end` once."""

    def __init__(self) -> None:
        self._rest = ""
        self._first = True

    def feed(self, piece: str) -> list[str]:
        """The clauses that are whole now."""
        self._rest += piece
        found = []
        while (cut := self._cut()) is not None:
            found.append(self._rest[:cut])
            self._rest = self._rest[cut:]
            self._first = False
        return found

    def end(self) -> str:
        """What is left; it may be empty, or a sentence that was not finished (see `unfinished`)."""
        rest, self._rest = self._rest, ""
        return rest

    def _cut(self) -> int | None:
        for match in _END.finditer(self._rest):
            clause = self._rest[: match.end("close")]
            if _may_end(clause, match["stop"], self._rest[match.end() :], self._first):
                return match.end()
        if len(self._rest) > MOST_CHARS:
            space = self._rest.rfind(" ", LEAST_CHARS, MOST_CHARS)
            return space + 1 if space > 0 else MOST_CHARS
        return None


def _may_end(clause: str, stop: str, after: str, first: bool) -> bool:
    if len(clause.split()) < LEAST_WORDS or len(clause.strip()) < LEAST_CHARS:
        return False
    if stop in (",", "-", "\u2014", "\u2013"):
        number = clause.rstrip(",").endswith(tuple("0123456789")) and after[:1].isdigit()
        return not number and len(clause.strip()) >= (COMMA_CHARS_FIRST if first else COMMA_CHARS_LATER)
    return not (stop == "." and _TITLE.search(clause))


def unfinished(text: str) -> bool:
    """Does this end in the middle of a sentence?"""
    return not re.search(r"[.?!\u2026][\"'\u201d\u2019)]*\s*$", text)


def spoken(clause: str) -> str:
    """The clause as a voice can say it: no stage directions, no symbols; empty when nothing is left to say."""
    bare = _SYMBOLS.sub(" ", _STAGE.sub(" ", clause)).replace("\ufffd", " ")
    text = " ".join("".join(c if c.isprintable() else " " for c in bare).split())
    return text if any(c.isalnum() for c in text) else ""
