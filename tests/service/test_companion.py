"""Companion and guardian together on a real broker; the test plays the person, the thinker and the speaker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from device.bus import Bus
from device.clock import now_ns
from device.config import Companion, Config, Paths
from device.events import (
    AlarmRaised,
    Emotion,
    MemoryForgotten,
    MemoryNoted,
    ReplyCancel,
    ReplyClause,
    ReplyEnded,
    ReplyRequest,
    SessionClosed,
    SessionOpened,
    SpeechEnded,
    SpeechProposed,
    SpeechRefused,
    SpeechRequest,
    SpeechStarted,
    SpeechStop,
    StateChanged,
    StopHeard,
    TranscriptEmpty,
    TranscriptFinal,
    TranscriptJudged,
    TranscriptPartial,
    TurnPlanned,
    VoiceStarted,
)
from device.lifecycle import Life
from services.companion.diary import Diary
from services.companion.library import load_lines
from services.companion.policy.feeling import Feelings
from services.companion.service import converse
from services.guardian.alarms import AlarmStore
from services.guardian.library import load_rules, load_scripts
from services.guardian.service import guard

RULES, SCRIPTS = load_rules("en"), load_scripts("en", "us")


async def world(
    bus: Bus[
        AlarmRaised | MemoryNoted | ReplyCancel | ReplyRequest | SessionClosed | SessionOpened | SpeechProposed | SpeechRefused
        | SpeechRequest | SpeechStop | TranscriptJudged | TurnPlanned,
        VoiceStarted | TranscriptPartial | TranscriptFinal | TranscriptEmpty | StopHeard | ReplyClause | ReplyEnded
        | SpeechStarted | SpeechEnded | StateChanged | SpeechProposed | MemoryForgotten,
    ],
) -> None: ...  # fmt: skip


class Stage:
    """Plays everybody else. `reply` is what the thinker says; None: it says nothing."""

    def __init__(self, bus: Bus[Any, Any], config: Config) -> None:
        self.bus, self.config = bus, config
        self.reply: Callable[[ReplyRequest], list[str] | None] = lambda request: ["You miss your garden.", "What grew there?"]
        self.heard: list[Any] = []
        self.silent_speaker = False

    async def listen(self) -> None:
        async for event in self.bus.hear():
            self.heard.append(event)
            if isinstance(event, ReplyRequest):
                await self.think(event)
            elif isinstance(event, SpeechRequest) and not self.silent_speaker:
                await self.speak(event)

    async def think(self, request: ReplyRequest) -> None:
        clauses = self.reply(request)
        if clauses is None:
            return
        for index, text in enumerate(clauses):
            await self.bus.say(ReplyClause(turn=request.turn, draft=request.draft, index=index, text=text))
        await self.bus.say(ReplyEnded(
            turn=request.turn, draft=request.draft, why="complete", clauses=len(clauses), first_token_ms=1.0,
            tokens=9, tokens_per_s=9.0, model="none",
        ))  # fmt: skip

    async def speak(self, request: SpeechRequest) -> None:
        base = {"turn": request.turn, "index": request.index, "text": request.text}
        if request.text:
            await self.bus.say(SpeechStarted(**base, duration_ms=10, first_sample_ns=now_ns()))
        await self.bus.say(SpeechEnded(**base, heard_text=request.text, heard_ms=10, interrupted=False, last=request.last, engine="none"))

    async def person_says(self, text: str, turn: str, *alternatives: str) -> None:
        await self.bus.say(TranscriptFinal(
            turn=turn, text=text, alternatives=alternatives, engine="none", speech_start_ns=1, speech_end_ns=2, decided_by="typed",
        ))  # fmt: skip

    def of(self, kind: type, turn: str | None = None) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind) and (turn is None or event.turn == turn)]

    def spoken(self, turn: str) -> list[str]:
        return [event.text for event in self.of(SpeechRequest, turn) if event.text]

    async def until(self, what: Callable[[], Any], within_s: float = 10.0) -> Any:
        async with asyncio.timeout(within_s):
            while not what():  # noqa: ASYNC110  # the list grows in listen()
                await asyncio.sleep(0.005)
        return what()

    async def over(self, turn: str) -> None:
        await self.until(lambda: any(event.last for event in self.of(SpeechRequest, turn)))


LONELY = np.zeros((384, 32), np.float32)  # the first axis is lonely, whatever was said
LONELY[0, get_args(Emotion).index("lonely")] = 9.0


@asynccontextmanager
async def staged(broker: Any, tmp_path: Path, thinker: str = "ready", daily: bool = False, **companion: Any) -> AsyncIterator[Stage]:
    config = Config(paths=Paths(data=tmp_path), companion=Companion(say_not_human_daily=daily, **companion))
    feelings = Feelings(LONELY, np.zeros(32, np.float32))
    alarms = AlarmStore(tmp_path / "alarms.sqlite")
    diary = Diary(tmp_path / "companion.json")
    async with AsyncExitStack() as stack, Bus(broker.account("test"), world) as rest, Bus(broker.account("guardian"), guard) as key:
        stage = Stage(rest, config)
        if thinker:
            await rest.say(StateChanged.model_validate({"service": "thinker", "state": thinker}))
        talk = await stack.enter_async_context(Bus(broker.account("companion"), converse))  # hears of the thinker before anything else
        guarding = asyncio.create_task(guard(key, RULES, SCRIPTS, alarms, Life("guardian", config)))
        conversing = asyncio.create_task(
            converse(
                talk, feelings, lambda words: np.eye(384, dtype=np.float32)[0], load_lines("en"), diary, config, Life("companion", config)
            )
        )
        listening = asyncio.create_task(stage.listen())
        try:
            yield stage
        finally:
            for task in (conversing, guarding, listening):
                task.cancel()
            await asyncio.gather(conversing, guarding, listening, return_exceptions=True)
            alarms.close()


async def test_turn_is_planned_judged_and_spoken(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        await stage.person_says("nobody came to my garden party today", "t1")
        await stage.over("t1")
        assert stage.spoken("t1") == ["You miss your garden.", "What grew there?"]
        assert len(stage.of(SessionOpened)) == 1
        plan = stage.of(TurnPlanned, "t1")[0]
        assert (plan.feeling, plan.intent) == ("lonely", "sympathizing")
        judged, request = stage.of(TranscriptJudged, "t1")[0], stage.of(SpeechRequest, "t1")[0]
        assert judged.level == "none"
        assert request.by == "companion"
        noted = await stage.until(lambda: stage.of(MemoryNoted))
        assert noted[0].text == "nobody came to my garden party today"


async def test_draft_of_a_soft_pause_is_kept_when_the_words_stay(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        await stage.bus.say(VoiceStarted(turn="t1"))
        await stage.bus.say(TranscriptPartial(turn="t1", text="nobody came today", quiet_ms=180))
        await stage.until(lambda: stage.of(ReplyRequest))
        await asyncio.sleep(0.1)
        assert stage.of(SpeechProposed) == []  # nothing is proposed before the words are final
        await stage.person_says("nobody came today", "t1")
        await stage.over("t1")
        assert len(stage.of(ReplyRequest)) == 1
        assert stage.of(ReplyCancel) == []


async def test_draft_is_thrown_away_when_the_words_go_on(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        stage.reply = lambda request: None if request.draft == 1 else ["You miss your garden.", "What grew there?"]
        await stage.bus.say(TranscriptPartial(turn="t1", text="nobody came", quiet_ms=180))
        await stage.until(lambda: stage.of(ReplyRequest))
        assert stage.of(SpeechRequest) == []
        await stage.person_says("nobody came but my sister", "t1")
        await stage.over("t1")
        assert [request.last_words for request in stage.of(ReplyRequest)] == ["nobody came", "nobody came but my sister"]
        assert stage.of(ReplyCancel, "t1")[0].draft == 1
        assert stage.spoken("t1") == ["You miss your garden.", "What grew there?"]


async def test_crisis_takes_the_floor_after_the_alarm_was_stored(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        await stage.person_says("i want to kill myself", "t1")
        await stage.over("t1")
        said = stage.of(SpeechRequest, "t1")
        assert all(request.by == "guardian" for request in said)
        assert [request.urgent for request in said] == [True, False, False, False]
        assert "call button" in " ".join(stage.spoken("t1"))
        assert stage.heard.index(stage.of(AlarmRaised)[0]) < stage.heard.index(said[0])
        assert AlarmStore(tmp_path / "alarms.sqlite").count() == 1
        await asyncio.sleep(0.2)
        assert not any(request.by == "companion" for request in stage.of(SpeechRequest, "t1"))
        assert stage.of(MemoryNoted) == []


async def test_call_for_help_does_not_wait_for_the_end_of_the_turn(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        await stage.bus.say(TranscriptPartial(turn="t1", text="help me", quiet_ms=100))
        await asyncio.sleep(0.1)
        assert stage.of(AlarmRaised) == []
        await stage.bus.say(TranscriptPartial(turn="t1", text="help me", quiet_ms=320))
        await stage.over("t1")
        await stage.person_says("help me", "t1")
        judged = await stage.until(lambda: stage.of(TranscriptJudged, "t1"))
        assert (judged[0].level, judged[0].takes_floor) == ("T1", True)
        await asyncio.sleep(0.2)
        assert len(stage.of(AlarmRaised)) == 1
        assert not any(request.by == "companion" for request in stage.of(SpeechRequest))


async def test_refused_clause_is_replaced_and_the_turn_still_ends(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        stage.reply = lambda request: ["I have called the nurse."]
        await stage.person_says("nobody came today", "t1")
        await stage.over("t1")
        refused = stage.of(SpeechRefused, "t1")[0]
        assert refused.rule.startswith("vet.told")
        assert stage.spoken("t1") == [SCRIPTS.instead["cannot"]]


async def test_dead_thinker_is_told_honestly(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        stage.reply = lambda request: None
        await stage.person_says("nobody came today", "t1")
        await stage.until(lambda: stage.of(ReplyRequest))
        died = now_ns()
        await stage.bus.say(StateChanged(service="thinker", state="gone"))
        await stage.over("t1")
        assert (now_ns() - died) / 1e9 < 3
        assert "could not find an answer" in stage.spoken("t1")[0]


async def test_slow_thinker_is_told_once_and_a_hanging_one_ends(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path, slow_thinker_ms=500, reply_limit_ms=1500) as stage:
        stage.reply = lambda request: None
        await stage.person_says("nobody came today", "t1")
        await stage.over("t1")
        assert stage.spoken("t1")[0] == "I am still thinking about what you said."
        assert "could not find an answer" in stage.spoken("t1")[1]
        assert stage.of(ReplyCancel, "t1")


async def test_absent_thinker_gets_no_request(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path, thinker="gone") as stage:
        await stage.person_says("nobody came today", "t1")
        await stage.over("t1")
        assert stage.of(ReplyRequest) == []
        assert stage.spoken("t1")


@pytest.mark.parametrize("state", ["starting", ""])
async def test_thinker_that_is_not_there_yet_is_waking(broker: Any, tmp_path: Path, state: str) -> None:
    async with staged(broker, tmp_path, thinker=state) as stage:
        await stage.person_says("nobody came today", "t1")
        await stage.over("t1")
        assert "still waking up" in stage.spoken("t1")[0]
        assert stage.of(ReplyRequest) == []


async def test_thinker_that_never_came_is_no_longer_waking_after_a_while(
    broker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.companion.service.WAKING_NS", 0)
    async with staged(broker, tmp_path, thinker="") as stage:
        await stage.person_says("nobody came today", "t1")
        await stage.over("t1")
        assert "could not find an answer" in stage.spoken("t1")[0]


@pytest.mark.parametrize("everything", [True, False])
async def test_forgotten_talk_is_in_no_later_prompt(broker: Any, tmp_path: Path, everything: bool) -> None:
    async with staged(broker, tmp_path) as stage:
        await stage.person_says("nobody came to my garden party today", "t1")
        await stage.over("t1")
        await stage.until(lambda: stage.of(MemoryNoted))
        other = MemoryForgotten(request="f0", everything=False, forget_session="another", memories=())
        await stage.bus.say(other)
        await stage.person_says("my sister did not come either", "t2")
        await stage.over("t2")
        assert "garden party" in str(stage.of(ReplyRequest, "t2")[0].history)
        session = stage.of(SessionOpened)[0].session
        await stage.bus.say(MemoryForgotten(request="f1", everything=everything, forget_session="" if everything else session, memories=()))
        await stage.person_says("what should i do now", "t3")
        await stage.over("t3")
        assert stage.of(ReplyRequest, "t3")[0].history == ()


@pytest.mark.parametrize("everything", [True, False])
async def test_words_of_an_alarm_are_erased_when_its_talk_is_forgotten(broker: Any, tmp_path: Path, everything: bool) -> None:
    def store() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.glob("alarms.sqlite*") if not path.name.endswith("-shm"))

    async with staged(broker, tmp_path) as stage:
        await stage.person_says("i want to kill myself", "t1")
        await stage.over("t1")
        await stage.bus.say(MemoryForgotten(request="f0", everything=False, forget_session="another", turns=("t9",), memories=()))
        await asyncio.sleep(0.3)
        assert b"kill myself" in store()
        turns = () if everything else ("t1",)
        forgotten = MemoryForgotten(request="f1", everything=everything, forget_session="" if everything else "s", turns=turns, memories=())
        await stage.bus.say(forgotten)
        await stage.until(lambda: b"kill myself" not in store(), within_s=5)
        assert AlarmStore(tmp_path / "alarms.sqlite").count() == 1
        broker.stop()
        assert b"kill myself" not in (broker.run / "mosquitto.db").read_bytes()


async def test_goodbye_is_answered_before_the_session_closes(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        stage.reply = lambda request: ["Good night. May your sleep be kind."]
        await stage.person_says("good night", "t1")
        closed = await stage.until(lambda: stage.of(SessionClosed))
        assert closed[0].why == "goodbye"
        assert stage.heard.index(closed[0]) > stage.heard.index(stage.of(SpeechRequest, "t1")[0])
        await stage.person_says("hello again", "t2")
        assert len(await stage.until(lambda: stage.of(SessionOpened)[1:])) == 1


async def test_quiet_time_closes_the_session(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path, seal_after_quiet_s=5) as stage:
        await stage.person_says("nobody came today", "t1")
        closed = await stage.until(lambda: stage.of(SessionClosed), within_s=15)
        assert closed[0].why == "quiet"


async def test_machine_says_what_it_is_once_a_day(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path, daily=True) as stage:
        await stage.person_says("nobody came today", "t1")
        await stage.over("t1")
        assert stage.spoken("t1")[0] == "I am Beside, a talking machine, not a person."
    async with staged(broker, tmp_path, daily=True) as stage:
        await stage.person_says("nobody came today", "t2")
        await stage.over("t2")
        assert "machine" not in " ".join(stage.spoken("t2"))


async def test_machine_says_what_it_is_only_once_when_that_was_asked_first(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path, daily=True) as stage:
        await stage.bus.say(VoiceStarted(turn="t1"))
        await stage.bus.say(TranscriptPartial(turn="t1", text="who are you", quiet_ms=180))
        await stage.person_says("who are you", "t1")
        await stage.over("t1")
        assert stage.spoken("t1") == ["I am Beside, a talking machine. I am not a person, but I do listen."]
        await stage.person_says("nobody came today", "t2")
        await stage.over("t2")
        assert "machine" not in " ".join(stage.spoken("t2"))  # today it has been said


async def test_machine_says_what_it_is_only_once_when_words_were_joined(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path, daily=True) as stage:
        stage.silent_speaker = True
        await stage.person_says("tell me who are", "t1")
        await stage.until(lambda: stage.of(ReplyRequest))
        stage.silent_speaker = False
        await stage.person_says("you then", "t2")
        await stage.over("t2")
        assert len([text for text in stage.spoken("t2") if "machine" in text]) == 1


async def test_second_unheard_voice_is_asked_to_say_it_again(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        for turn in ("t1", "t2", "t3"):
            await stage.bus.say(VoiceStarted(turn=turn))
            await stage.bus.say(TranscriptEmpty(turn=turn, reason="no-words"))
        requests = await stage.until(lambda: stage.of(SpeechRequest))
        await asyncio.sleep(0.2)
        assert len(stage.of(SpeechRequest)) == 1
        assert "could not make out the words" in requests[0].text


async def test_stop_word_silences_at_once(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        stage.silent_speaker = True
        await stage.person_says("nobody came today", "t1")
        await stage.until(lambda: stage.of(SpeechRequest, "t1"))
        await stage.bus.say(StopHeard(word="stop"))
        stops = await stage.until(lambda: stage.of(SpeechStop))
        assert stops[0].why == "stop-word"
        await stage.bus.say(SpeechProposed(turn="t1", index=9, text="And more.", last=False, scripted=False, deadline_ns=now_ns() + 10**10))
        refused = await stage.until(lambda: [e for e in stage.of(SpeechRefused, "t1") if e.index == 9])
        assert refused[0].rule == "floor.stop-word"


async def test_redelivered_final_is_answered_once(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        final = TranscriptFinal(turn="t1", text="nobody came today", engine="none", speech_start_ns=1, speech_end_ns=2, decided_by="typed")
        await stage.bus.say(final)
        await stage.over("t1")
        await stage.bus.say(final)
        await asyncio.sleep(0.3)
        assert len(stage.of(ReplyRequest)) == 1
        assert len(stage.of(TranscriptJudged)) == 1
        assert len(stage.spoken("t1")) == 2


async def test_words_before_the_first_sound_are_joined(broker: Any, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        stage.reply = lambda request: None if request.turn == "t1" else ["You miss your garden."]
        await stage.person_says("i miss", "t1")
        await stage.until(lambda: stage.of(ReplyRequest))
        await stage.bus.say(VoiceStarted(turn="t2"))
        await stage.person_says("my garden", "t2")
        await stage.over("t2")
        assert stage.of(ReplyRequest, "t2")[0].last_words == "i miss my garden"
        assert stage.of(ReplyCancel, "t1")
        assert stage.spoken("t1") == []


@pytest.mark.parametrize(("words", "said"), [("are you a real person", "talking machine"), ("please be quiet", "quiet now")])
async def test_fixed_sentences_need_no_thinker(broker: Any, tmp_path: Path, words: str, said: str) -> None:
    async with staged(broker, tmp_path, thinker="gone") as stage:
        await stage.person_says(words, "t1")
        await stage.over("t1")
        assert len(stage.spoken("t1")) == 1
        assert said in stage.spoken("t1")[0]
