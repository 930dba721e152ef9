"""The bus between services: what a service needs of it, whatever carries the messages."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tabling.messaging.v1.envelope_pb2 import Envelope, Event

Heard = Callable[[frozenset[str] | None], None]
"""`heard(topics)`: another replica announced topics; None: any topic may have been missed."""


class BusUnusable(Exception):
    """The bus cannot be reached, or takes nothing, right now; the text says why. Envelopes stay in the outbox."""


class Refused(Exception):
    """The bus does not take this envelope right now, though it may take others; the text says why."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A consumer and what it wants.

    `receive` returns once the envelope has been applied and committed, or what failed of it put aside; it
    retries by itself. It raises when the consumer stops, or `StorageBusy` and `StorageFull` when its database
    could not be used for long: the bus brings the envelope again later.
    """

    consumer: str
    types: frozenset[str]
    receive: Callable[[Envelope], Coroutine[Any, Any, None]]


class Bus(Protocol):
    """Carries envelopes from a service to every consumer that wants them, at least once each."""

    async def publish(self, body: Envelope) -> None:
        """Return once every consumer has applied the envelope, or the bus holds it durably; else raise."""

    async def subscribe(self, subscription: Subscription) -> None:
        """Begin to deliver to a consumer, now or as soon as the bus can be reached."""

    async def unsubscribe(self, consumer: str) -> None:
        """Stop delivering; what is under way is delivered again to whoever subscribes next."""

    async def put_aside(self, consumer: str, event: Event, error: Exception) -> bool:
        """Keep an event that the consumer cannot apply, to bring it again later or to show it to an operator.

        To be called within `receive`. True once the bus holds it durably; False when it keeps none: the consumer must.
        """

    async def waiting(self, consumer: str) -> Mapping[str, int]:
        """How many messages wait in each queue of a consumer, its dead letters included. Raises when it cannot tell."""

    def announce(self, service: str, topics: Iterable[str]) -> None:
        """Tell the service's other replicas, soon and at most once, that signal topics changed. Never raises."""

    def listen(self, service: str, heard: Heard) -> None:
        """Hear what other replicas of the service announce, until the bus is closed."""

    async def close(self) -> None:
        """Let go of everything; nothing is delivered any more."""


class WithinOneProcess:
    """What a bus has no need of when publisher and consumers share one process."""

    async def put_aside(self, consumer: str, event: Event, error: Exception) -> bool:
        return False

    async def waiting(self, consumer: str) -> Mapping[str, int]:
        return {}

    def announce(self, service: str, topics: Iterable[str]) -> None:
        """There is no other replica."""

    def listen(self, service: str, heard: Heard) -> None:
        """Nothing is ever announced."""

    async def close(self) -> None:
        """Nothing is held."""
