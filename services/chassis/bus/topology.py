"""The topology on RabbitMQ: every exchange, queue and binding there is, declared and shown from here.

An envelope is one message whose events may have several types. It is published once, to the topic exchange, with all
its types as routing keys, and RabbitMQ brings it once to every consumer that wants at least one of them. Each consumer
has an exchange of its own in front of its queue, so that a queue that is missing shows: the spare queue takes over.
Only what RabbitMQ 3.10 to 4.x know alike is used, and the same arguments always: a queue cannot change them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aio_pika.abc import AbstractChannel

EXCHANGE = "tabling"
"""The topic exchange that every envelope is published to."""

LIVE = "tabling.live"
"""The direct exchange for announcements between the replicas of a service; the routing key is the service's name."""

LIVE_QUEUE: dict[str, Any] = {
    "x-expires": 60_000,
    "x-message-ttl": 10_000,
    "x-max-length": 1_000,
    "x-overflow": "drop-head",
}
"""Arguments of a replica's own queue for announcements: short-lived and bounded; times in milliseconds."""

UNLIMITED = 1_000_000_000
"""Deliveries of what nobody consumes but an operator who looks: RabbitMQ 4 has a limit where none is given."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange; what it can bring nowhere goes to its `alternate`."""

    name: str
    kind: str
    purpose: str
    alternate: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        return {"alternate-exchange": self.alternate} if self.alternate else {}


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue. What is refused, expired or delivered too often goes on to `then`."""

    name: str
    purpose: str
    most_messages: int
    delivery_limit: int = UNLIMITED
    delay_seconds: float | None = None
    then: tuple[str, str] | None = None
    """Exchange and routing key."""

    @property
    def arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": self.delivery_limit}
        # a full queue refuses: what it refuses stays in the publisher's outbox, and at-least-once needs it
        found |= {"x-max-length": self.most_messages, "x-overflow": "reject-publish"}
        if self.delay_seconds is not None:
            found["x-message-ttl"] = round(self.delay_seconds * 1000)
        if self.then:
            found |= {"x-dead-letter-exchange": self.then[0], "x-dead-letter-routing-key": self.then[1]}
            found["x-dead-letter-strategy"] = "at-least-once"
        return found


@dataclass(frozen=True, slots=True)
class Binding:
    """Messages of an exchange with a routing key go to a queue, or to another exchange."""

    source: str
    key: str
    destination: str
    to_queue: bool


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything on the broker, from who wants which types of events.

    `retry_seconds`: delay of each retry queue, in the order in which a failing event passes through them.
    `delivery_limit`: how often a message is delivered again after a consumer died on it, before it is a dead letter.
    """

    subscriptions: Mapping[str, frozenset[str]]
    retry_seconds: tuple[float, ...] = (1, 5, 30, 300)
    delivery_limit: int = 20
    most_messages: int = 1_000_000
    consumers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not self.retry_seconds:
            raise ValueError("there must be a retry queue")
        object.__setattr__(self, "consumers", tuple(sorted(self.subscriptions)))

    def part(self, consumer: str, types: Iterable[str]) -> "Topology":
        """The topology of one consumer."""
        return replace(self, subscriptions={consumer: frozenset(types)})

    def wants(self, types: Iterable[str]) -> bool:
        """Whether any consumer wants any of these types."""
        return any(not wanted.isdisjoint(types) for wanted in self.subscriptions.values())

    def retry_queue(self, consumer: str, attempts: int) -> str | None:
        """Where an event waits after so many failed attempts; None once it is a dead letter."""
        return f"{consumer}.retry.{attempts}" if attempts <= len(self.retry_seconds) else None

    def longest_retry_queue(self, consumer: str) -> str:
        """Where something waits that is not at fault itself."""
        return f"{consumer}.retry.{len(self.retry_seconds)}"

    def exchanges(self) -> Iterator[Exchange]:
        """All exchanges; each comes after those it names."""
        yield Exchange(EXCHANGE, "topic", "every envelope, its events' types as routing keys")
        yield Exchange(LIVE, "direct", "announcements between the replicas of a service")
        for consumer in self.consumers:
            yield Exchange(spare(consumer), "fanout", f"what comes while queue {consumer} is missing")
            yield Exchange(consumer, "fanout", f"everything for {consumer}", alternate=spare(consumer))

    def queues(self) -> Iterator[Queue]:
        """All queues but the short-lived ones of single replicas."""
        for name in self.consumers:
            work = {"most_messages": self.most_messages, "delivery_limit": self.delivery_limit}
            yield Queue(name, f"envelopes for {name}", **work, then=("", dead(name)))
            yield Queue(spare(name), f"takes over while {name} is missing", **work, then=("", dead(name)))
            for number, seconds in enumerate(self.retry_seconds, 1):
                purpose = f"what failed {number} times waits, then goes to {name}"
                waiting = Queue(f"{name}.retry.{number}", purpose, self.most_messages, delay_seconds=seconds)
                yield replace(waiting, then=(name, name))
            yield Queue(dead(name), "what could not be applied, for an operator", self.most_messages)

    def bindings(self) -> Iterator[Binding]:
        """All bindings."""
        for consumer in self.consumers:
            yield Binding(consumer, "", consumer, to_queue=True)
            yield Binding(spare(consumer), "", spare(consumer), to_queue=True)
            for key in sorted(self.subscriptions[consumer]):
                yield Binding(EXCHANGE, key, consumer, to_queue=False)

    async def declare(self, channel: AbstractChannel) -> None:
        """Make what is missing; what is there stays as it is.

        Raises `ChannelPreconditionFailed`, and the channel is closed, where something is there with other arguments.
        """
        broker = await channel.get_underlay_channel()
        for exchange in self.exchanges():
            await broker.exchange_declare(
                exchange.name, exchange_type=exchange.kind, durable=True, arguments=exchange.arguments
            )
        for queue in self.queues():
            await broker.queue_declare(queue.name, durable=True, arguments=queue.arguments)
        for binding in self.bindings():
            if binding.to_queue:
                await broker.queue_bind(binding.destination, binding.source, binding.key)
            else:
                await broker.exchange_bind(binding.destination, binding.source, binding.key)

    def render(self) -> str:
        """The topology as text for people, a line for each thing."""
        lines = [f"exchange {e.name:<24} {e.kind:<7} {e.purpose}" for e in self.exchanges()]
        lines += [f"queue    {q.name:<24} {_about(q)}" for q in self.queues()]
        lines += [f"binding  {b.source:<24} → {b.destination:<15} {b.key}".rstrip() for b in self.bindings()]
        return "\n".join(lines)


def dead(consumer: str) -> str:
    """The queue of a consumer's dead letters."""
    return f"{consumer}.dead"


def spare(consumer: str) -> str:
    """The exchange and the queue that take over while a consumer's queue is missing."""
    return f"{consumer}.spare"


def _about(queue: Queue) -> str:
    about = [queue.purpose, f"at most {queue.most_messages:,}"]
    if queue.delay_seconds is not None:
        about.append(f"{queue.delay_seconds:g} s")
    if queue.delivery_limit < UNLIMITED:
        about.append(f"delivered again at most {queue.delivery_limit} times, then {(queue.then or ('', ''))[1]}")
    return "; ".join(about)
