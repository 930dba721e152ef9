"""A bus in a test's hands."""

from collections.abc import Awaitable, Iterable
from typing import Any, NamedTuple

from services.chassis.bus import Subscription, WithinOneProcess
from tabling.messaging.v1.envelope_pb2 import Envelope


class Parcel(NamedTuple):
    """One envelope on its way to one consumer."""

    consumer: str
    body: Envelope


class ShuffledBus(WithinOneProcess):
    """A bus that holds every envelope durably and delivers when, and as often as, it is told to."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self.published: list[Envelope] = []
        self.pending: list[Parcel] = []
        self.lost: list[Parcel] = []

    async def publish(self, body: Envelope) -> None:
        self.published.append(body)
        self.pending += self.parcels(body)

    async def subscribe(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.consumer] = subscription

    async def unsubscribe(self, consumer: str) -> None:
        self._subscriptions.pop(consumer, None)

    def parcels(self, body: Envelope) -> list[Parcel]:
        """A parcel for every consumer that wants something of an envelope."""
        types = {event.type for event in body.events}
        return [Parcel(s.consumer, body) for s in self._subscriptions.values() if not types.isdisjoint(s.types)]

    def take(self, picks: Iterable[int]) -> list[Parcel]:
        """Parcels by their place among those that are pending, counted round and round."""
        return [self.pending.pop(pick % len(self.pending)) for pick in picks if self.pending]

    def find(self) -> None:
        """Whatever was lost is there again."""
        self.pending += self.lost
        self.lost.clear()

    def deliveries(self, parcels: Iterable[Parcel]) -> list[Awaitable[None]]:
        """The deliveries of parcels, begun once awaited; each ends with the commit."""
        return [self._subscriptions[parcel.consumer].receive(parcel.body) for parcel in parcels]

    def parts(self, parcel: Parcel) -> list[Parcel]:
        """A parcel split into one for each event, as a consumer does with one that it cannot apply whole."""
        wanted = self._subscriptions[parcel.consumer].types
        events = [event for event in parcel.body.events if event.type in wanted]
        return [Parcel(parcel.consumer, single(parcel.body.source, event)) for event in events]


def single(source: str, event: Any) -> Envelope:
    """An envelope for one event, under the event's id."""
    return Envelope(id=event.id, source=source, events=[event])
