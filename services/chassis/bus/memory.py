"""The bus inside one process: delivered means committed by every consumer."""

import asyncio
from collections.abc import Collection, Iterable

from services.chassis.bus import Subscription, WithinOneProcess
from tabling.messaging.v1.envelope_pb2 import Envelope


class MemoryBus(WithinOneProcess):
    """Delivers at once and answers when all consumers have committed.

    A crash loses nothing: the envelope is still in the publisher's outbox. `consumers` are those that must be
    there before anything counts as published.
    """

    def __init__(self, consumers: Iterable[str] = ()) -> None:
        self._expected = frozenset(consumers)
        self._subscriptions: dict[str, Subscription] = {}
        self._complete = asyncio.Event()
        self._check()

    async def publish(self, body: Envelope) -> None:
        await self._complete.wait()
        types = {event.type for event in body.events}
        wanting = [s for s in self._subscriptions.values() if not types.isdisjoint(s.types)]
        # started in order, so that each consumer gets one publisher's envelopes in order
        receipts = [asyncio.ensure_future(subscription.receive(body)) for subscription in wanting]
        results = await asyncio.gather(*receipts, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def subscribe(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.consumer] = subscription
        self._check()

    async def unsubscribe(self, consumer: str) -> None:
        self._subscriptions.pop(consumer, None)
        self._check()

    @property
    def missing(self) -> Collection[str]:
        """Consumers that must be there and are not."""
        return self._expected - self._subscriptions.keys()

    def _check(self) -> None:
        if self.missing:
            self._complete.clear()
        else:
            self._complete.set()
