"""The bus between services: what a service needs of it, whatever carries the messages."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from tabling.messaging.v1.envelope_pb2 import Envelope


@dataclass(frozen=True, slots=True)
class Subscription:
    """A consumer and what it wants.

    `receive` returns once the envelope has been applied and committed, or put aside as a dead letter; it
    retries by itself, and raises only when the consumer stops.
    """

    consumer: str
    types: frozenset[str]
    receive: Callable[[Envelope], Coroutine[Any, Any, None]]


class Bus(Protocol):
    """Carries envelopes from a service to every consumer that wants them, at least once each."""

    async def publish(self, body: Envelope) -> None:
        """Return once every consumer has applied the envelope, or the bus holds it durably; else raise."""

    async def subscribe(self, subscription: Subscription) -> None:
        """Begin to deliver to a consumer."""

    async def unsubscribe(self, consumer: str) -> None:
        """Stop delivering; what is under way is delivered again to whoever subscribes next."""
