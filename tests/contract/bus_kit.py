"""What the tests of the bus share: each kind of bus, and a service of counters on either side of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from google.protobuf.wrappers_pb2 import StringValue
from sqlalchemy import func, select

from services.chassis.bus import Bus, BusUnusable, Refused, Subscription
from services.chassis.bus.dead import dead_letters
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.topology import Topology
from services.chassis.clock import SystemClock
from services.chassis.consumer import Consumer
from services.chassis.messages import Message, envelope
from services.chassis.outbox import Outbox
from services.chassis.relay import Relay
from services.chassis.testing import eventually
from tabling.messaging.v1.envelope_pb2 import Envelope
from tests.component.counters import COUNTED, HANDLERS, Running, counting, metadata

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def told(type_: str, subject: str = "s") -> Message:
    """An event of any type."""
    return Message(type_, subject, subject, StringValue(value=subject).SerializeToString())


def batch(*messages: Message) -> Envelope:
    """An envelope of these events."""
    return envelope("counters", list(messages), NOW)


@dataclass
class Inbox:
    """A consumer that only notes what it gets."""

    consumer: str
    types: frozenset[str]
    bodies: list[Envelope] = field(default_factory=list)
    receive: Callable[[Envelope], Coroutine[Any, Any, None]] | None = None

    @property
    def ids(self) -> list[str]:
        return [body.id for body in self.bodies]

    @property
    def subscription(self) -> Subscription:
        return Subscription(self.consumer, self.types, self.receive or self._note)

    async def _note(self, body: Envelope) -> None:
        self.bodies.append(body)


def noting(consumer: str, *types: str) -> Inbox:
    """A consumer that wants these types."""
    return Inbox(consumer, frozenset(types or {COUNTED}))


class Buses(Protocol):
    """Makes buses of one kind."""

    def make(self, **wanted: Iterable[str]) -> Bus:
        """A bus for these consumers and the types that they want."""

    async def dead_letters(self, consumer: str, running: Running) -> list[str]:
        """Subjects of the events that a consumer could not apply."""

    async def close(self) -> None:
        """Close every bus that was made."""


class MemoryBuses:
    """Buses within this process; what could not be applied is in the consumer's own database."""

    def make(self, **wanted: Iterable[str]) -> Bus:
        return MemoryBus(wanted)

    async def dead_letters(self, consumer: str, running: Running) -> list[str]:
        statement = select(metadata.tables["dead_letters"].c.subject)
        return await running.database.read(lambda c: list(c.execute(statement).scalars()))

    async def close(self) -> None:
        """They hold nothing."""


class RabbitBuses:
    """Buses on one virtual host of RabbitMQ, each as in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: list[RabbitBus] = []

    def make(self, **wanted: Iterable[str]) -> RabbitBus:
        return self.on(topology(wanted))

    def on(self, topology: Topology, url: str = "", **options: Any) -> RabbitBus:
        """A bus with a topology of its own, perhaps on another way to the same broker."""
        options = {"publish_seconds": 2.0, "stop_seconds": 1.0} | options
        self._made.append(RabbitBus(url or self.url, topology, **options))
        return self._made[-1]

    async def dead_letters(self, consumer: str, running: Running | None = None) -> list[str]:
        async with dead_letters(self.url, consumer) as box:
            return [event.subject for letter in box.letters if letter.envelope for event in letter.envelope.events]

    async def close(self) -> None:
        await asyncio.gather(*(bus.close() for bus in self._made))


def topology(wanted: Mapping[str, Iterable[str]], *, delivery_limit: int = 20, most_messages: int = 1000) -> Topology:
    """A topology that is quick to give up."""
    types = {consumer: frozenset(types) for consumer, types in wanted.items()}
    return Topology(types, (0.05, 0.1), delivery_limit, most_messages)


@asynccontextmanager
async def relaying(running: Running, bus: Bus) -> AsyncIterator[Relay]:
    """A relay from a database of counters to the bus."""

    async def change(work: Callable[[Outbox], Any]) -> Any:
        return await running.lane.run(lambda uow: work(uow.outbox), bounded=False)

    relay = Relay(running.database, metadata, bus, change, SystemClock(), sweep_seconds=0.05)
    task = asyncio.create_task(relay.serve())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.wait([task])


async def publish(bus: Bus, *bodies: Envelope) -> None:
    """Publish one after the other, each again as long as the bus cannot take it."""

    async def taken(body: Envelope) -> bool:
        try:
            await bus.publish(body)
        except (BusUnusable, Refused) as error:
            raise AssertionError(error) from error
        return True

    for body in bodies:
        await eventually(lambda body=body: taken(body), seconds=30)  # type: ignore[misc]


async def outbox_rows(running: Running) -> int:
    """Envelopes not yet removed."""
    statement = select(func.count()).select_from(metadata.tables["outbox"])
    return await running.database.read(lambda c: int(c.execute(statement).scalar_one()))


def subscription(name: str, running: Running, bus: Bus) -> Subscription:
    """A consumer of counted events, quick to give up."""
    consumer = Consumer(name, HANDLERS, running.lane, bus.put_aside, attempts=2, first_delay_seconds=0.001)
    return Subscription(name, consumer.types, consumer.receive)


@asynccontextmanager
async def counters(path: Path, name: str) -> AsyncIterator[Running]:
    """A service of counters with its own database."""
    (path / name).mkdir(exist_ok=True)
    async with counting(path / name) as running:
        yield running
