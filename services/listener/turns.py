"""From frames to turns: the one place where VAD, half duplex, pre-roll, endpointing and patience meet.

No clock of its own: time is the frames' time. It talks to the worker (`Decoding`) and to the outbox, and to nothing else.
"""

import logging
from collections.abc import Callable

from device import clock
from device.audio import FRAME_NS, Frame, level_dbfs
from device.config import Listener
from device.events import Event, SpeechEnded, SpeechStarted, VoiceStarted
from services.listener.decoding import Decoding, Ending
from services.listener.ears import Ears
from services.listener.echo import Echo
from services.listener.endpointing import FINISHED_SHARE, DecidedBy, Limits, Pause, turn_over
from services.listener.half_duplex import HalfDuplex
from services.listener.patience import Patience
from services.listener.preroll import Preroll
from services.listener.voice import VoiceTrack

log = logging.getLogger(__name__)

JUDGE_AFTER_MS = 90  # three silent frames: the answer is there before the quick end could be decided
JUDGE_AGAIN_MS = 95
INNER_PAUSE_MS = 200  # shorter silences belong to the words themselves
BEHIND_FRAMES = 4  # more than this, and the words so far are not the last words


class Turns:
    """Hears every frame of the microphone and what Beside itself says; decides where turns begin and end."""

    def __init__(self, ears: Ears, decoding: Decoding, say: Callable[[Event], None], config: Listener) -> None:
        self.patience = Patience(Limits(config.turn_quick_ms, config.turn_ceiling_ms, config.turn_longest_s * 1000))
        self._ears, self._decoding, self._say = ears, decoding, say
        self._half_duplex = config.half_duplex
        self._gate = HalfDuplex()
        self._echo = Echo()
        self._preroll = Preroll()
        self._voice = VoiceTrack()
        self._was_deaf = False
        self._beside_says = ""
        self._asked_at_ms = 0
        self._ended: tuple[int, DecidedBy] | None = None  # of the last turn, until Beside answers

    def speech_started(self, event: SpeechStarted) -> None:
        self._gate.speech_started(event.turn, event.index, event.first_sample_ns, event.duration_ms)
        self._beside_says = " ".join("".join(c if c.isalpha() or c == "'" else " " for c in event.text.lower()).split())
        self._ended = None

    def speech_ended(self, event: SpeechEnded) -> None:
        self._gate.speech_ended(event.turn, event.index, event.at_ns)

    def hear(self, frame: Frame) -> None:
        """One frame. At most 0.2 ms of work: the VAD and some arithmetic."""
        hearing = self._gate.hearing(frame.at_ns - FRAME_NS, frame.at_ns)
        if hearing == "deaf":
            self._decoding.spot(frame, self._beside_says, self._echo.hear(level_dbfs(frame.samples)))
        if hearing != "open" and self._half_duplex:
            self._be_deaf(frame, keep=hearing == "tail")
            return
        if self._was_deaf:
            self._was_deaf = False
            self._echo.pause()
            self._ears.voice.reset()
        self._listen(frame)

    def lost(self) -> None:
        """The microphone is gone: what was said so far is all there is."""
        if self._voice.speaking:
            self._end("silence")
        self._preroll.clear()
        self._ears.voice.reset()

    def _be_deaf(self, frame: Frame, keep: bool) -> None:
        if self._voice.speaking:
            self._end("silence")  # Beside has begun to speak: the turn is what was heard before
        self._was_deaf = True
        if keep:
            self._preroll.keep(frame)
        else:
            self._preroll.clear()

    def _listen(self, frame: Frame) -> None:
        voice = self._voice
        was_speaking, quiet_before_ms = voice.speaking, voice.quiet_ms
        began = voice.hear(frame.at_ns, self._ears.voice.share(frame.samples), level_dbfs(frame.samples))
        if began:
            self._preroll.keep(frame)
            self._begin(self._preroll.take())
        elif was_speaking:
            if voice.quiet_ms == 0 and quiet_before_ms > 0:
                self._went_on(quiet_before_ms)
            self._decoding.feed(frame, voice.quiet_ms)
            self._consider()
        else:
            self._preroll.keep(frame)

    def _begin(self, frames: list[Frame]) -> None:
        if self._ended is not None:
            ended_ns, by = self._ended
            if self.patience.went_on((self._voice.start_ns - ended_ns) // clock.NS_PER_MS, by):
                log.info("went on after the turn was called over (%d of %d turns)", self.patience.cut_offs, self.patience.turns)
            self._ended = None
        turn = clock.new_id()
        self._asked_at_ms = 0
        self._say(VoiceStarted(turn=turn))
        self._decoding.begin(turn, frames)

    def _went_on(self, pause_ms: int) -> None:
        if pause_ms >= INNER_PAUSE_MS:
            self.patience.paused(pause_ms)
        self._asked_at_ms = 0
        self._decoding.resumed()

    def _consider(self) -> None:
        quiet_ms = self._voice.quiet_ms
        if quiet_ms >= (self._asked_at_ms + JUDGE_AGAIN_MS if self._asked_at_ms else JUDGE_AFTER_MS) and not self._surely_finished():
            self._asked_at_ms = quiet_ms
            self._decoding.ask_judge()
        words = self._decoding.words if self._decoding.waiting <= BEHIND_FRAMES else ""
        by = turn_over(Pause(quiet_ms, self._voice.spoken_ms, words, self._decoding.finished), self.patience.limits)
        if by is not None:
            self._end(by)
            if by == "too-long":
                self._next_piece()

    def _surely_finished(self) -> bool:
        return (self._decoding.finished or 0.0) >= FINISHED_SHARE

    def _end(self, by: DecidedBy) -> None:
        voice = self._voice
        self._decoding.finish(Ending(by, voice.start_ns, voice.end_ns, clock.now_ns(), voice.sound))
        self._decoding.resumed()
        self.patience.ended(by)
        self._ended = (voice.end_ns, by)
        log.info("turn over (%s) after %d ms of silence", by, voice.quiet_ms)
        voice.stop()

    def _next_piece(self) -> None:
        """A monologue goes on in a turn of its own, without a gap."""
        now_ns = self._voice.now_ns
        self._voice.begin(now_ns, now_ns)
        self._ended = None
        self._begin([])
