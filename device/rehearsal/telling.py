"""Tells the conversation as it happens, for people (or one JSON object a turn, for programs)."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from device.events import AlarmRaised, Event, SpeechRefused, SpeechStarted, TranscriptEmpty, TranscriptFinal
from device.rehearsal.person import Clip
from device.rehearsal.report import Turn, median_p95

VOID_P99_MS = 10.0
TIMINGS = ("endpoint_ms", "transcript_ms", "first_clause_ms", "first_sound_ms")


class Telling:
    """Lines for people go to standard output, or to standard error when standard output carries JSON."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._out = sys.stderr if as_json else sys.stdout
        self._colour = self._out.isatty()
        self._speaking_turn = ""

    def line(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)

    def progress(self, text: str) -> None:
        print(self._shade(90, text), file=sys.stderr, flush=True)

    def person_speaks(self, clip: Clip) -> None:
        self._speaking_turn = ""
        self.line(f"\n{self._shade(36, 'Person')}    {clip.text or clip.name}")

    def event(self, event: Event) -> None:
        match event:
            case TranscriptFinal():
                self.line(self._shade(90, f"  heard   {event.text}"))
            case TranscriptEmpty():
                self.line(self._shade(90, f"  heard   a voice, but no words ({event.reason})"))
            case SpeechStarted():
                name = self._shade(32, "Beside") if event.turn != self._speaking_turn or not event.turn else "      "
                self._speaking_turn = event.turn
                self.line(f"{name}    {event.text}")
            case SpeechRefused():
                self.line(self._shade(33, f"  refused {event.text}  ({event.rule})"))
            case AlarmRaised():
                self.line(self._shade(31, f"  alarm   {event.kind} {event.level}"))
            case _:
                pass

    def not_heard(self) -> None:
        self.line(self._shade(33, "  heard   nothing"))

    def no_answer(self) -> None:
        self.line(self._shade(33, "  Beside did not answer."))

    def turn_over(self, turn: Turn) -> None:
        row = turn.row()
        if self._json:
            print(json.dumps(row, ensure_ascii=False), flush=True)
        facts = [f"{name.removesuffix('_ms').replace('_', ' ')} {row[name]:.0f} ms" for name in TIMINGS if row[name] is not None]
        moods = ", ".join(f"{mood.label} {mood.share:.0%}" for mood in turn.moods[:3])
        self.line(self._shade(90, "  " + " · ".join([*facts, *([f"face: {moods}"] if moods else [])])))

    def summary(self, turns: Sequence[Turn], late_p99_ms: float, out: Path, talk: Path) -> None:
        rows = [turn.row() for turn in turns]
        self.line()
        for name in TIMINGS:
            found = median_p95(value if isinstance(value, float) else None for value in (row[name] for row in rows))
            if found:
                label = name.removesuffix("_ms").replace("_", " ")
                self.line(f"{label:<14} median {found[0]:6.0f} ms   p95 {found[1]:6.0f} ms   after the person's last sound")
        if late_p99_ms > VOID_P99_MS:
            self.line(
                self._shade(33, f"These times are void: the room itself was late (p99 {late_p99_ms:.0f} ms), so the machine was too busy.")
            )
        self.line(f"The sound of the conversation: {talk}")
        self.line(f"The record, and everything else: {out}")

    def _shade(self, code: int, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text
