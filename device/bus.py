"""The bus: typed events over our own Mosquitto on a Unix socket.

A service is handed a `Bus[Hears, Says]`; both are unions of event classes (or one class, or `Never`). The type checker refuses
to say what is not in `Says`; the subscriptions, the broker's ACL and the flow chart are read from the same annotation.

    async with Bus(account, listen) as bus:         # connects, and reconnects for as long as it lives
        await bus.say(VoiceStarted(turn=turn))
        async for event in bus.hear():              # an event is acknowledged when the next one is asked for
            ...

What must arrive is kept and said again after the broker was away; what may be lost is dropped then, and counted. A `durable`
account keeps its place with the broker while the service is down. This file holds the only retry loop in the house.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from types import NoneType, TracebackType, UnionType
from typing import Any, Generic, Never, Self, TypeVar, Union, get_args, get_origin, get_type_hints

import aiomqtt
from pydantic import ValidationError

from device.errors import BusError
from device.events import BY_TOPIC, Event, StateChanged

log = logging.getLogger(__name__)

H = TypeVar("H", bound=Event)
S = TypeVar("S", bound=Event)
MAX_PAYLOAD_BYTES = 64 * 1024
OUTBOX_EVENTS = 10_000  # what must arrive, waiting for the broker: hours of talk
CONNECT_TIMEOUT_S = 3.0
ACK_TIMEOUT_S = 3.0  # publishing to a dead broker would otherwise block 10 s
HANG_UP_S = 0.5
RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # then 1 s for ever: a supervisor restarts the broker


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are to the broker: one account per service, one place in the ACL."""

    name: str
    password: str = field(repr=False)
    socket: Path
    durable: bool = False  # the broker keeps what must arrive while we are away


@dataclass(slots=True)
class Counters:
    """Nothing is lost silently."""

    said: int = 0
    heard: int = 0
    dropped_unsent: int = 0  # might be lost, and the broker was away
    dropped_unreadable: int = 0  # too large, not JSON, unknown type or version
    reconnects: int = 0


def topic_of(event: type[Event] | Event) -> str:
    """`beside/transcript/final`; a state has one topic per service."""
    if isinstance(event, StateChanged):
        return f"beside/state/{event.service}"
    if event is StateChanged:
        return "beside/state/+"
    return "beside/" + event.topic.replace(".", "/")


def event_type(topic: str) -> type[Event] | None:
    """The class that travels on `topic`, or None for a stranger."""
    if topic.startswith("beside/state/"):
        return StateChanged
    return BY_TOPIC.get(topic.removeprefix("beside/").replace("/", "."))


def _members(annotation: Any) -> tuple[type[Event], ...]:
    if annotation in (Never, NoneType):
        return ()
    if get_origin(annotation) in (Union, UnionType):
        return tuple(get_args(annotation))
    return (annotation,)


def hears_and_says(service: Callable[..., Any]) -> tuple[tuple[type[Event], ...], tuple[type[Event], ...]]:
    """What a service function hears and says, read from its `bus: Bus[Hears, Says]` annotation."""
    for annotation in get_type_hints(service).values():
        if get_origin(annotation) is Bus:
            hears, says = get_args(annotation)
            return _members(hears), _members(says)
    raise TypeError(f"{service.__qualname__} has no argument of type Bus[Hears, Says]")


class Bus(Generic[H, S]):
    """One connection to the broker, for one service function. Use as an async context manager."""

    def __init__(self, account: Account, service: Callable[..., Any], state: StateChanged | None = None) -> None:
        """`state`: how the service is, told as soon as there is a connection, until `announce` tells otherwise."""
        self._account = account
        self.hears, self.says = hears_and_says(service)
        self.counters = Counters()
        self.connected = asyncio.Event()
        self._inbox: asyncio.Queue[tuple[Event, aiomqtt.Message, aiomqtt.Client]] = asyncio.Queue()
        self._outbox: deque[Event] = deque(maxlen=OUTBOX_EVENTS)
        self._flushing = asyncio.Lock()
        self._client: aiomqtt.Client | None = None
        self._state = state
        self._keeper: asyncio.Task[None] | None = None
        self._refused: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        self._refused = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep_connected(), name="bus")
        first = asyncio.ensure_future(self.connected.wait())
        waiting: set[asyncio.Future[Any]] = {first, self._refused}
        try:
            await asyncio.wait(waiting, timeout=CONNECT_TIMEOUT_S * 3, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # told to stop just now: paho connects in a thread that cannot be interrupted
            await asyncio.wait(waiting, timeout=HANG_UP_S, return_when=asyncio.FIRST_COMPLETED)
            await self.__aexit__(None, None, None)
            raise
        finally:
            first.cancel()
        if self._refused.done():
            await self.__aexit__(None, None, None)
            self._refused.result()
        return self  # not connected yet is no error: the keeper goes on trying

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        on_purpose = error is None or isinstance(error, asyncio.CancelledError)  # else lifecycle leaves the true reason behind
        if on_purpose and self._client is not None and self._state is not None:
            gone = StateChanged(service=self._account.name, state="gone", code="stopped", sentence="Stopped on purpose.")
            with contextlib.suppress(aiomqtt.MqttError):
                await self._publish(self._client, gone)  # the will is not sent on a clean exit
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    async def say(self, event: S) -> None:
        """Publish. What must arrive waits for the broker's receipt, or for its return; the rest is dropped while it is away."""
        if not isinstance(event, self.says):
            raise TypeError(f"{self._account.name} may not say {event.topic}; add it to the service's signature")
        if event.must_arrive:
            if len(self._outbox) == OUTBOX_EVENTS:
                self.counters.dropped_unsent += 1
            self._outbox.append(event)
            await self._flush()
        elif self._client is None:
            self.counters.dropped_unsent += 1
        else:
            try:
                await self._publish(self._client, event)
            except aiomqtt.MqttError:
                self.counters.dropped_unsent += 1

    async def announce(self, state: StateChanged) -> None:
        """Say how this service is; told again after every reconnection."""
        self._state = state
        if self._client is not None:
            with contextlib.suppress(aiomqtt.MqttError):
                await self._publish(self._client, state)

    async def hear(self) -> AsyncIterator[H]:
        """Events in the order of arrival, for one consumer. Asking for the next one acknowledges the last one."""
        while True:
            event, message, client = await self._inbox.get()
            self.counters.heard += 1
            yield event  # type: ignore[misc]  # only subscribed classes arrive: a runtime fact, checked in _received
            self._acknowledge(message, client)

    def _acknowledge(self, message: aiomqtt.Message, client: aiomqtt.Client) -> None:
        if message.qos and client is self._client:  # of an older connection: the broker sends it again, ids make that harmless
            client._client.ack(message.mid, message.qos)  # aiomqtt has no public call for a manual acknowledgement

    async def _publish(self, client: aiomqtt.Client, event: Event) -> None:
        qos = 1 if event.must_arrive or event.retained else 0
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task else 0
        await client.publish(topic_of(event), event.model_dump_json(), qos=qos, retain=event.retained, timeout=ACK_TIMEOUT_S)
        self.counters.said += 1
        if task and task.cancelling() > cancelled_before:
            raise asyncio.CancelledError  # before Python 3.12 wait_for, inside publish, swallows a cancel that meets the receipt

    async def _flush(self) -> None:
        """Send the outbox in order, each event leaving it only after the broker's receipt."""
        async with self._flushing:
            while self._outbox and (client := self._client) is not None:
                event = self._outbox[0]
                try:
                    await self._publish(client, event)
                except aiomqtt.MqttError:
                    return  # the keeper notices, reconnects and flushes again
                if self._outbox and self._outbox[0] is event:
                    self._outbox.popleft()

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            try:
                async with self._connection() as client:
                    attempt = 0
                    await self._converse(client)
            except aiomqtt.MqttError as error:
                if _refused_us(error):
                    self._refuse(error)
                    return
                if attempt == 0:
                    log.warning("bus: connection lost, trying again (%s)", type(error).__name__)
            finally:
                self._client = None
                self.connected.clear()
            self.counters.reconnects += 1
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def _refuse(self, error: Exception) -> None:
        if self._refused is not None and not self._refused.done():
            self._refused.set_exception(BusError(
                "bus-refused", f"The bus does not know the account '{self._account.name}' or its password.",
                "Start Beside again as a whole, so that bus and services share new passwords.",
            ))  # fmt: skip

    def _connection(self) -> aiomqtt.Client:
        gone = StateChanged(
            service=self._account.name, state="gone", code="died", sentence=f"The {self._account.name} stopped without a word.",
            remedy="It is started again by itself; if this repeats, run: beside doctor",
        )  # fmt: skip
        return aiomqtt.Client(
            hostname=str(self._account.socket), transport="unix", username=self._account.name, password=self._account.password,
            identifier=self._account.name, clean_session=not self._account.durable, keepalive=5, timeout=CONNECT_TIMEOUT_S,
            will=aiomqtt.Will(topic_of(gone), gone.model_dump_json(), qos=1, retain=True),
            max_queued_incoming_messages=0, logger=log,
        )  # fmt: skip

    async def _converse(self, client: aiomqtt.Client) -> None:
        client._client.manual_ack_set(True)  # acknowledged after the work, not on receipt: a SIGKILL between loses nothing
        if self.hears:
            await client.subscribe([(topic_of(kind), 1 if kind.must_arrive or kind.retained else 0) for kind in self.hears])
        self._client = client
        if self._state is not None:
            await self._publish(client, self._state)
        self.connected.set()
        await self._flush()
        async for message in client.messages:
            event = self._received(message)
            if event is None:
                self._acknowledge(message, client)
            else:
                self._inbox.put_nowait((event, message, client))

    def _received(self, message: aiomqtt.Message) -> Event | None:
        """The event in a message, or None (counted, one log line without its content) if it is not one of ours."""
        topic, payload = str(message.topic), message.payload
        kind = event_type(topic)
        if kind is not None and kind in self.hears and isinstance(payload, bytes) and 0 < len(payload) <= MAX_PAYLOAD_BYTES:
            with contextlib.suppress(ValidationError):
                return kind.model_validate_json(payload)
        self.counters.dropped_unreadable += 1
        log.warning("bus: dropped an unreadable message on %s (%d so far)", topic, self.counters.dropped_unreadable)
        return None


async def leave_word(account: Account, state: StateChanged) -> None:
    """Publish one retained state and go, for a service that has no bus (any more). MqttError or TimeoutError if there is no broker."""
    client = aiomqtt.Client(
        hostname=str(account.socket), transport="unix", username=account.name, password=account.password, identifier=account.name,
        clean_session=False, timeout=CONNECT_TIMEOUT_S, logger=log,
    )  # fmt: skip
    client._client.manual_ack_set(True)  # and a durable account's queue stays whole: nothing is taken from it here
    async with client:
        await client.publish(topic_of(state), state.model_dump_json(), qos=1, retain=True, timeout=ACK_TIMEOUT_S)


def _refused_us(error: aiomqtt.MqttError) -> bool:
    """Whether the broker knows us not (bad password, no such account): trying again cannot help."""
    code = getattr(error, "rc", None)
    return getattr(code, "value", code) in (4, 5, 134, 135)


def union_of(events: tuple[type[Event], ...]) -> Any:
    """`A | B | C` from classes, for a listener of everything (tap)."""
    return reduce(or_, events)
