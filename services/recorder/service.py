"""The recorder: everything that must last goes into the journal, one transaction for each event, committed before the event is
acknowledged to the broker. It answers for the memories, the consents, the seals and the forgetting.

A killed recorder loses nothing: what was not acknowledged is delivered again, and rows are keyed by the event's id.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine

from device.bus import Bus
from device.clock import boot_id, now_ns, wall_s
from device.errors import JournalError
from device.events import (
    AlarmRaised,
    ConsentChanged,
    ConsentRequest,
    Event,
    FaceSeen,
    ForgetDone,
    ForgetRequest,
    MemoriesRequest,
    MemoryErased,
    MemoryForgotten,
    MemoryKept,
    MemoryNoted,
    ReplyEnded,
    SessionClosed,
    SessionOpened,
    SessionSealed,
    SpeechEnded,
    SpeechRefused,
    StateChanged,
    TranscriptFinal,
    TranscriptJudged,
    TurnPlanned,
)
from device.journal import Journal
from device.lifecycle import Life
from services.recorder import forgetting, rows, sealing
from services.recorder.desk import Desk
from services.recorder.shelf import Shelf

log = logging.getLogger(__name__)

Hears = (
    TranscriptFinal | TranscriptJudged | AlarmRaised | SessionOpened | TurnPlanned | ReplyEnded | SpeechRefused | SpeechEnded
    | FaceSeen | MemoryNoted | MemoriesRequest | ForgetRequest | MemoryErased | ConsentRequest | SessionClosed | StateChanged
)  # fmt: skip
Says = MemoryKept | MemoryForgotten | ForgetDone | SessionSealed | ConsentChanged

LAST_WORDS_S = 4.0  # a goodbye may still be in the air when the session is closed
LATE_ROW_S = 1.0  # a row for a sealed session: the log is written anew after this
MOOD_EVERY_NS = 2_000_000_000  # an unchanged mood is kept this often
TENDING_S = 60.0
PROBE_S = 5.0
QUIET_GRACE_S = 60.0  # past the companion's own limit a session is closed for it
FAREWELL_S = 1.5
FAREWELL_QUIET_S = 0.4
IDS_AT_ONCE = 1000  # of memories, and of turns: a message has at most 64 KiB
OTHERS_S = 3.0  # guardian erases the words of its alarms, the broker writes its store
LOOK_AGAIN_S = 0.3
INDEX_S = 30.0  # the thinker rebuilds ten thousand memories in this time


async def record(bus: Bus[Hears, Says], journal: Journal, life: Life) -> None:
    """Keeps what must last, seals what is over, and forgets for real."""
    recorder = Recorder(bus, journal, life)
    try:
        await recorder.begin()
        async with asyncio.TaskGroup() as tasks:
            recorder.tasks = tasks
            tasks.create_task(recorder.resume_forgetting())
            tasks.create_task(recorder.tend())
            async for event in bus.hear():
                await recorder.take(event)
    except asyncio.CancelledError:
        await recorder.hear_out()
        raise
    finally:
        await recorder.end()


class Recorder:
    """What the recorder knows beside its journal: which session goes on, and who waits for what."""

    def __init__(self, bus: Bus[Hears, Says], journal: Journal, life: Life) -> None:
        self.tasks: asyncio.TaskGroup | None = None  # None before and after the service listens
        self._bus = bus
        self._desk = Desk(journal, bus, life)
        self._shelf = Shelf.of(life.config.paths)
        self._keep_days = life.config.recorder.keep_transcript_days
        self._quiet_s = life.config.companion.seal_after_quiet_s + QUIET_GRACE_S
        self._session = ""  # the conversation that goes on
        self._camera = False
        self._mood: tuple[object, int] = (None, 0)  # the last one kept, and when
        self._thinker = "unknown"
        self._sealing: set[str] = set()
        self._sealed: set[str] = set()
        self._spoke = asyncio.Event()  # set, and followed by a new one, with each clause that was heard
        self._indexed: dict[str, asyncio.Semaphore] = {}  # released by each proof of the thinker

    async def begin(self) -> None:
        """Open the journal, tell the consents, seal what an earlier life left open."""
        await self._desk.run(Journal.open)
        notice = await self._desk.run(lambda j: j.notice)
        if notice is not None:
            await self._desk.run(lambda j: j.write(lambda db: rows.audit(db, notice.code, "recorder", "", boot_id(), wall_s())))
        broken = await self._desk.run(lambda j: j.read(rows.broken_audit_link))
        if broken is not None:
            log.error("audit: row %d does not follow from the one before; someone changed it", broken)
        await self._tell_consents()
        for session in await self._left_over():
            await self._seal(session)
        waiting = await self._desk.run(lambda j: j.read(sealing.open_sessions))
        self._session = waiting[-1] if waiting else ""
        self._sealed = set(await self._desk.run(lambda j: j.read(lambda db: [s for (s,) in db.execute("SELECT session FROM seals")])))

    async def hear_out(self) -> None:
        """Told to stop together with all others: their last words, such as the end of the conversation, are still on their way."""
        self.tasks = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                hearing = self._bus.hear()
                while True:
                    await self.take(await asyncio.wait_for(anext(hearing), FAREWELL_QUIET_S))

    async def end(self) -> None:
        """What was closed is sealed before we go."""
        try:
            for session in sorted(self._sealing):
                await self._seal(session)
        finally:
            await self._desk.close()

    async def take(self, event: Hears) -> None:
        """One event: its row is on the disk when this returns."""
        match event:
            case StateChanged():
                if event.service == "thinker":
                    self._thinker = event.state
            case MemoriesRequest():
                await self._tell_memories()
            case MemoryErased():
                if event.request in self._indexed:
                    self._indexed[event.request].release()
            case FaceSeen():
                await self._keep_mood(event)
            case _:
                await self._keep(event)

    async def _keep(self, event: Event) -> None:
        try:
            outcome = await self._desk.run(lambda j: j.write(lambda db: rows.insert(db, event)))
        except JournalError as trouble:
            if trouble.code != "journal-row-refused":
                raise
            log.error("a %s does not fit the journal and was left out", event.topic)
            return
        if outcome == "forgotten":
            return
        match event:
            case MemoryNoted():  # also when known: the last time may have ended between the commit and the word
                await self._bus.say(_kept((event.id, event.text, event.who, event.source, event.session, event.wall_s)))
            case SpeechEnded():
                self._spoke.set()
                self._spoke = asyncio.Event()
            case SessionOpened():
                await self._opened(event.session)
            case SessionClosed():
                self._spawn_seal(event.session, 0.5 if event.why == "shutdown" else LAST_WORDS_S)
            case ForgetRequest():
                self._spawn(self._forget(event))
            case ConsentRequest():
                await self._consented(event, outcome)
        if outcome == "new" and event.session in self._sealed and not isinstance(event, SessionClosed | ForgetRequest | ConsentRequest):
            self._spawn_seal(event.session, LATE_ROW_S)

    # ---- sessions

    async def _opened(self, session: str) -> None:
        """One bed, one conversation: whatever was open before is over."""
        for older in await self._left_over():
            self._spawn_seal(older, 0.0)
        if session not in self._sealed:
            self._session = session

    async def _left_over(self) -> list[str]:
        return await self._desk.run(lambda j: j.read(lambda db: sealing.left_over(db, self._quiet_s, boot_id(), now_ns())))

    def _spawn_seal(self, session: str, wait_s: float) -> None:
        if session and session not in self._sealing:
            self._sealing.add(session)
            self._spawn(self._seal_soon(session, wait_s))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        if self.tasks is None:
            work.close()  # on the way out: `end` seals, and a forgetting is taken up at the next start
        else:
            self.tasks.create_task(work)

    async def _seal_soon(self, session: str, wait_s: float) -> None:
        until_ns = now_ns() + int(wait_s * 1e9)
        if session in self._sealed:
            await asyncio.sleep(wait_s)
        else:
            await self._until_spoken_out(session, until_ns)
        await self._seal(session)

    async def _until_spoken_out(self, session: str, until_ns: int) -> None:
        while (left_s := (until_ns - now_ns()) / 1e9) > 0:
            spoke = self._spoke
            if await self._desk.run(lambda j: j.read(lambda db: sealing.spoken_out(db, session))):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(spoke.wait(), left_s)

    async def _seal(self, session: str) -> None:
        self._sealing.discard(session)  # a row that arrives from now on asks for another seal
        made = await self._desk.run(lambda j: sealing.seal(j, self._shelf, session))
        if made is None:
            return
        self._sealed.add(session)
        if self._session == session:
            self._session = ""
        await self._bus.say(SessionSealed(session=session, log=str(made.log), turns=made.turns))

    async def tend(self) -> None:
        """Now and then: close what the companion left open, let go what is older than it should be kept, and prove that we live."""
        while True:
            for session in await self._left_over():
                self._spawn_seal(session, 0.0)
            old = await self._desk.run(lambda j: sealing.retire(j, self._shelf, self._keep_days))
            if old:
                self._sealed.difference_update(old)
                log.info("%d conversations were old enough to be let go", len(old))
            for _ in range(round(TENDING_S / PROBE_S)):
                await asyncio.sleep(PROBE_S)
                await self._desk.run(lambda j: j.read(lambda db: db.execute("SELECT 1").fetchone()))  # the desk feeds the watchdog

    async def _keep_mood(self, event: FaceSeen) -> None:
        """Labels are kept only while a conversation goes on and the camera is consented to; an unchanged one now and then."""
        face = (event.moods[0].label if event.moods else event.unknown_because, self._session)
        if not self._session or not self._camera or (face == self._mood[0] and event.at_ns - self._mood[1] < MOOD_EVERY_NS):
            return
        self._mood = (face, event.at_ns)
        mood = event.model_copy(update={"session": self._session})
        await self._desk.run(lambda j: j.write(lambda db: sealing.keep_mood(db, self._shelf, mood)))

    # ---- memories, consents

    async def _tell_memories(self) -> None:
        """Every row, `left` counting down to 0. When there is none, nothing is told: an empty index is right."""
        query = "SELECT event, text, who, source, session, wall_s FROM memories ORDER BY event"
        kept = await self._desk.run(lambda j: j.read(lambda db: db.execute(query).fetchall()))
        for number, row in enumerate(kept, 1):
            await self._bus.say(_kept(row, left=len(kept) - number))

    async def _consented(self, event: ConsentRequest, outcome: rows.Outcome) -> None:
        if outcome == "new":
            detail = f"{event.what} {'given' if event.given else 'withdrawn'}"
            await self._desk.run(lambda j: j.write(lambda db: rows.audit(db, "consent", event.by, detail, event.boot, event.wall_s)))
        await self._tell_consents()
        if event.what == "keep-emotions" and not event.given:
            await self._desk.run(lambda j: sealing.erase_all_moods(j, self._shelf))

    async def _tell_consents(self) -> None:
        self._camera, keep = await self._desk.run(lambda j: j.read(rows.consents))
        await self._bus.say(ConsentChanged(camera=self._camera, keep_emotions=keep))

    # ---- forgetting

    async def resume_forgetting(self) -> None:
        for request in await self._desk.run(lambda j: j.read(forgetting.pending)):
            await self._forget(request)

    async def _forget(self, request: ForgetRequest) -> None:
        """Erase, have the thinker rebuild its index, search, and say honestly what was found."""
        if request.id in self._indexed:
            return
        self._indexed[request.id] = asyncio.Semaphore(0)
        erased = await self._desk.run(lambda j: forgetting.erase(j, self._shelf, request))
        self._sealed.discard(request.forget_session)
        if erased.everything:
            self._sealed.clear()
        index = await self._forget_index(erased)
        search = await self._search(erased)
        sentence = forgetting.report(erased, search, index, self._shelf)
        await self._desk.run(lambda j: forgetting.finish(j, erased, sentence))
        await self._bus.say(
            ForgetDone(request=request.id, sessions=erased.sessions, turns=erased.turns, memories=len(erased.memories), sentence=sentence)
        )

    async def _search(self, erased: forgetting.Erased) -> forgetting.Search:
        """Guardian and the broker erase theirs when they hear of it: what still stands there is looked for again for a while."""
        until_ns = now_ns() + int(OTHERS_S * 1e9)
        while True:
            search = await self._desk.run(lambda j: forgetting.prove(j, self._shelf, erased))
            if not any(self._shelf.is_of_another(path) for path in search.found) or now_ns() > until_ns:
                return search
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _forget_index(self, erased: forgetting.Erased) -> str:
        """What became of the thinker's index, as a sentence."""
        ids = () if erased.everything else erased.memories
        turns = () if erased.everything else erased.said_in
        letters = range(0, max(len(ids), len(turns), 1), IDS_AT_ONCE)
        for i in letters:
            await self._bus.say(MemoryForgotten(
                request=erased.request.id, everything=erased.everything, forget_session=erased.request.forget_session,
                turns=turns[i : i + IDS_AT_ONCE], memories=ids[i : i + IDS_AT_ONCE],
            ))  # fmt: skip
        if self._thinker not in ("gone", "unknown"):
            try:
                async with asyncio.timeout(INDEX_S):
                    for _ in letters:
                        await self._indexed[erased.request.id].acquire()
            except TimeoutError:
                return f"The thinker did not confirm within {INDEX_S:.0f} s that its memory index was rebuilt; please ask again later."
            return "The memory index was rebuilt without it."
        await self._desk.run(lambda _: forgetting.drop_index(self._shelf))
        return "The thinker was not running, so its memory index was deleted; it is built anew when the thinker starts."


def _kept(row: tuple[str, str, str, str, str, float], left: int = 0) -> MemoryKept:
    memory, text, who, source, session, said_s = row
    return MemoryKept.model_validate(
        {"memory": memory, "text": text, "who": who, "source": source, "from_session": session, "said_wall_s": said_s, "left": left}
    )
