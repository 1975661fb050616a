"""Frames in, turns out, in virtual time: no microphone, model or bus, only their made-up likenesses."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from device.audio import FRAME_NS
from device.config import Listener
from device.events import Event, SpeechEnded, SpeechStarted, StopHeard, TranscriptEmpty, TranscriptFinal, TranscriptPartial, VoiceStarted
from services.listener.decoding import Decoding
from services.listener.ears import Ears
from services.listener.turns import Turns
from tests.listening import FakeRecogniser, frame, made_up_ears, sound

START_NS = 1_000_000_000


class Scene:
    """One listener in virtual time: `hear` plays frame values, `events` is what it said."""

    def __init__(self, ears: Ears | None = None, **config: Any) -> None:
        self.events: list[Event] = []
        self.decoding = Decoding(ears or made_up_ears(), self.events.append)
        self.turns = Turns(ears or made_up_ears(), self.decoding, self.events.append, Listener(**config))
        self.at_ns = START_NS
        self._work: asyncio.Task[None] | None = None

    async def hear(self, values: list[int]) -> None:
        if self._work is None:
            self._work = asyncio.create_task(self.decoding.run())
        for value in values:
            self.at_ns += FRAME_NS
            self.turns.hear(frame(value, self.at_ns))
            await asyncio.sleep(0)
            await self.settle()

    async def settle(self) -> None:
        """Virtual time goes on when the worker has done everything."""
        while self.decoding.busy:  # noqa: ASYNC110  # an event in the product, only to wait for in a test, would be in the way
            await asyncio.sleep(0)

    async def end(self) -> None:
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    def said(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


async def played(values: list[int], ears: Ears | None = None, **config: Any) -> Scene:
    scene = Scene(ears, **config)
    await scene.hear(values)
    await scene.end()
    return scene


SENTENCE = [(1, 300), (2, 300), (3, 400)]  # my leg hurts


async def test_turn_when_a_sentence_is_said_has_its_words_and_its_times() -> None:
    scene = await played(sound((0, 1000), *SENTENCE, (0, 1500)))
    (started,), (final,) = scene.said(VoiceStarted), scene.said(TranscriptFinal)
    assert final.text == "my leg hurts"
    assert final.turn == started.turn != ""
    assert final.decided_by == "model-and-words"
    assert final.speech_start_ns == START_NS + 31 * FRAME_NS
    assert final.speech_end_ns == START_NS + (31 + 9 + 9 + 12) * FRAME_NS
    assert scene.events[0] is started


async def test_turn_when_the_silence_grows_tells_partials_at_soft_pauses() -> None:
    scene = await played(sound((0, 500), *SENTENCE, (0, 2500)), made_up_ears(judged=0.0))
    pauses = [event.quiet_ms for event in scene.said(TranscriptPartial) if event.quiet_ms]
    assert [pause // 100 for pause in pauses] == list(range(1, 11))
    assert scene.said(TranscriptFinal)[0].decided_by == "ceiling"


async def test_turn_when_the_vad_triggers_late_keeps_the_beginning() -> None:
    recogniser = FakeRecogniser()
    await played(sound((0, 2000), (5, 400), (0, 800)), made_up_ears(recogniser=recogniser))
    assert recogniser.heard.count(5) == 12
    assert recogniser.heard.index(5) >= 500 // 32


async def test_turn_when_the_phrase_ends_in_because_waits_twice_the_ceiling() -> None:
    scene = await played(sound((0, 500), (3, 400), (4, 400), (0, 1600), (1, 300), (2, 300), (0, 1500)))
    assert [final.text for final in scene.said(TranscriptFinal)] == ["hurts because my leg"]


async def test_turn_when_the_person_goes_on_after_the_end_counts_a_cut_off() -> None:
    scene = await played(sound((0, 500), *SENTENCE, (0, 500), *SENTENCE, (0, 1000)))
    assert len(scene.said(TranscriptFinal)) == 2
    assert scene.turns.patience.cut_offs == 1
    assert scene.turns.patience.limits.quick_ms > 200 - 1


async def test_turn_when_only_a_filler_sounds_briefly_is_empty() -> None:
    scene = await played(sound((0, 500), (6, 160), (0, 2500)))
    assert [event.reason for event in scene.said(TranscriptEmpty)] == ["phantom"]
    assert not scene.said(TranscriptFinal)


async def test_turn_when_there_is_only_silence_asks_no_recogniser() -> None:
    recogniser = FakeRecogniser()
    scene = await played(sound((0, 5000)), made_up_ears(recogniser=recogniser))
    assert scene.events == []
    assert recogniser.heard == []


async def test_turn_when_a_monologue_never_ends_is_handed_on_in_pieces() -> None:
    recogniser = FakeRecogniser()
    values = sound((0, 500), *[(1 + n % 3, 1000) for n in range(35)], (0, 1500))
    scene = await played(values, made_up_ears(recogniser=recogniser), turn_longest_s=10)
    finals = scene.said(TranscriptFinal)
    assert [final.decided_by for final in finals] == ["too-long"] * 3 + ["model-and-words"]
    assert len({final.turn for final in finals}) == 4
    assert sum(value > 0 for value in recogniser.heard) == sum(value > 0 for value in values)  # no sound between the pieces is lost
    assert scene.turns.patience.cut_offs == 0


async def test_turn_when_the_microphone_is_lost_is_what_was_heard() -> None:
    scene = Scene()
    await scene.hear(sound((0, 500), *SENTENCE))
    scene.turns.lost()
    await scene.settle()
    await scene.end()
    assert [final.text for final in scene.said(TranscriptFinal)] == ["my leg hurts"]


def beside_speaks(scene: Scene, text: str, duration_ms: int = 2000) -> None:
    scene.turns.speech_started(SpeechStarted(turn="b", index=0, text=text, duration_ms=duration_ms, first_sample_ns=scene.at_ns))


async def test_half_duplex_when_beside_speaks_hears_only_the_stop_word() -> None:
    scene = Scene()
    await scene.hear(sound((0, 500)))
    beside_speaks(scene, "I am sorry to hear that.")
    await scene.hear(sound(*SENTENCE, (99, 32), (0, 320)))
    scene.turns.speech_ended(SpeechEnded(
        turn="b", index=0, text="", heard_text="", heard_ms=1400, interrupted=True, last=True, engine="e", at_ns=scene.at_ns
    ))  # fmt: skip
    await scene.hear(sound((0, 500), (5, 400), (0, 600)))
    await scene.end()
    assert [event.word for event in scene.said(StopHeard)] == ["stop"]
    assert [final.text for final in scene.said(TranscriptFinal)] == ["hello"]


async def test_half_duplex_when_beside_itself_says_stop_is_not_stopped() -> None:
    scene = Scene()
    beside_speaks(scene, "We can stop here.")
    await scene.hear(sound((99, 320)))
    await scene.end()
    assert not scene.said(StopHeard)


async def test_half_duplex_when_beside_cuts_in_ends_the_turn_with_what_was_heard() -> None:
    scene = Scene()
    await scene.hear(sound((0, 500), *SENTENCE))
    beside_speaks(scene, "Hello.")
    await scene.hear(sound((5, 500)))
    await scene.end()
    assert [final.text for final in scene.said(TranscriptFinal)] == ["my leg hurts"]


async def test_full_duplex_when_chosen_hears_while_beside_speaks() -> None:
    scene = Scene(half_duplex=False)
    beside_speaks(scene, "Hello.")
    await scene.hear(sound((0, 100), *SENTENCE, (0, 800)))
    await scene.end()
    assert [final.text for final in scene.said(TranscriptFinal)] == ["my leg hurts"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 0, 1, 2, 3, 4, 6]), st.integers(32, 1500)), max_size=12), st.floats(0.0, 1.0))
def test_turns_when_anything_is_heard_every_voice_gets_one_answer(stretches: list[tuple[int, int]], judged: float) -> None:
    scene = asyncio.run(played(sound((0, 320), *stretches, (0, 4200)), made_up_ears(judged=judged)))
    started = [event.turn for event in scene.said(VoiceStarted)]
    answered = [event.turn for event in scene.events if isinstance(event, TranscriptFinal | TranscriptEmpty)]
    assert started == answered
    assert all(final.speech_start_ns < final.speech_end_ns for final in scene.said(TranscriptFinal))
