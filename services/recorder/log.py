"""The session log: what a caregiver or therapist reads, as Markdown. Pure: a talk and a time zone in, a page out."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, tzinfo

from services.recorder.talk import Alarm, Mood, Said, Talk, Turn

ENDED = {"goodbye": "with a goodbye", "quiet": "after a quiet time", "shutdown": "when Beside was switched off", "": "without an end"}
LEVELS = {"T1": "clear words of danger", "T2": "words that may mean danger"}  # T3 and none are no news
KINDS = {"help": "A call for help", "crisis": "A crisis", "medical": "A medical emergency", "abuse": "A word of abuse"}
NOTE = (
    "These are the words as a machine understood them; it may have misheard. Beside is a companion, not a therapist and not a medical "
    "device: nothing here is an assessment."
)
_MARKS = re.compile(r"([\\`*_\[\]<>#|~&!])")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def plain(text: str) -> str:
    """Someone's words as they stand, inert in Markdown and HTML: one line, no marks, no hidden or direction-turning characters."""
    return _MARKS.sub(r"\\\1", _UNSEEN.sub(" ", text)).strip()


def page(talk: Talk, zone: tzinfo | None = None, with_moods: bool = False) -> str:
    """The whole log. `zone`: None for the machine's own; `with_moods` only where the person agreed to keep them."""
    begun = _when(talk.opened_wall_s, zone)
    lines = [f"# Conversation on {begun:%A} {begun.day} {begun:%B %Y}, {begun:%H:%M}", "", *_summary(talk), "", f"> {NOTE}", ""]
    attention = list(_attention(talk, zone))
    if attention:
        lines += ["## Please look at this", "", *attention, ""]
    lines += ["## What was said", ""]
    lines += [line for turn in talk.turns for line in _turn(turn, _name(talk), zone)] or ["Nothing was said.", ""]
    if talk.memories:
        lines += ["## What Beside will remember", "", *(f"- {plain(text)}" for text in talk.memories), ""]
    if with_moods and talk.moods:
        lines += [
            "## Mood of the face",
            "",
            "A hint of the camera, minute by minute, kept because the person agreed.",
            "",
            *_moods(talk.moods, zone),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def emotions_line(mood: Mood, zone: tzinfo | None = None) -> str:
    """One line of the emotions text log: time and the three strongest labels, or why there are none."""
    labels = ", ".join(f"{label} {share:.0%}" for label, share in mood.moods) or f"unknown ({mood.unknown_because or 'unsure'})"
    return f"{_when(mood.wall_s, zone):%H:%M:%S}  {labels}"


def _name(talk: Talk) -> str:
    return plain(talk.who) or "The person"


def _when(wall_s: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(wall_s, zone)


def _summary(talk: Talk) -> list[str]:
    feelings = Counter(turn.feeling for turn in talk.turns if turn.feeling)
    refused = sum(turn.refused for turn in talk.turns)
    interrupted = sum(turn.interrupted for turn in talk.turns)
    lines = [f"- With: {_name(talk)}"]
    lines.append(f"- Length: {_length(talk.length_s)}, {_count(talk.utterances, 'turn')}; it ended {ENDED.get(talk.why, ENDED[''])}")
    if feelings:
        lines.append("- Feelings in the words: " + ", ".join(f"{name} ({number})" for name, number in feelings.most_common(5)))
    if interrupted:
        lines.append(f"- Beside was interrupted in {_count(interrupted, 'answer')}")
    if refused:
        lines.append(f"- The guardian held back {_count(refused, 'sentence')} of Beside's")
    lines.append(f"- Session: {plain(talk.session)}")
    return lines


def _length(length_s: float | None) -> str:
    if length_s is None:
        return "unknown"
    if length_s < 90:
        return _count(max(0, round(length_s)), "second")
    return _count(round(length_s / 60), "minute")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _attention(talk: Talk, zone: tzinfo | None) -> Iterator[str]:
    yield from (_alarm(alarm, zone) for alarm in talk.alarms)
    for turn in talk.turns:
        if turn.level in LEVELS:
            rules = plain(", ".join(turn.rules)) or "unknown"
            yield f"- {_when(turn.wall_s, zone):%H:%M:%S} {LEVELS[turn.level]} ({turn.level}), noticed by: {rules}"


def _alarm(alarm: Alarm, zone: tzinfo | None) -> str:
    words = f" “{plain(alarm.words)}”" if alarm.words else " (its words were erased)"
    return f"- {_when(alarm.wall_s, zone):%H:%M:%S} **{KINDS.get(alarm.kind, 'An alarm')}** ({alarm.level}):{words}"


def _turn(turn: Turn, name: str, zone: tzinfo | None) -> Iterator[str]:
    if turn.text:
        yield f"**{_when(turn.wall_s, zone):%H:%M:%S} {name}:** {plain(turn.text)}  "
        if turn.feeling:
            yield f"*feeling in the words: {turn.feeling} · answered by {turn.intent}*"
        yield ""
    if turn.spoken:
        yield f"**{_when(turn.spoken[0].wall_s, zone):%H:%M:%S} Beside:** {' '.join(filter(None, map(_said, turn.spoken)))}"
        yield ""


def _said(said: Said) -> str:
    if said.heard_text.strip() == said.text.strip():
        return plain(said.heard_text)
    missing = said.text.strip().removeprefix(said.heard_text.strip()).strip()
    lost = f"*\\[{'interrupted' if said.interrupted else 'not spoken'}; not heard: {plain(missing)}\\]*"
    return f"{plain(said.heard_text)} {lost}".strip()


def _moods(moods: tuple[Mood, ...], zone: tzinfo | None) -> Iterator[str]:
    """One row a minute with the mean share of the strongest labels."""
    minutes: dict[str, list[Mood]] = {}
    for mood in moods:
        minutes.setdefault(f"{_when(mood.wall_s, zone):%H:%M}", []).append(mood)
    yield "| time | mood |"
    yield "|---|---|"
    for minute, seen in minutes.items():
        shares: dict[str, float] = {}
        for mood in seen:
            for label, share in mood.moods:
                shares[label] = shares.get(label, 0.0) + share / len(seen)
        strongest = sorted(shares.items(), key=lambda item: -item[1])[:3]
        yield f"| {minute} | {', '.join(f'{label} {share:.0%}' for label, share in strongest) or 'unknown'} |"
