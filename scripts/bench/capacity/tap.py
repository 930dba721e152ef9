"""A tap on the exchange that every envelope is published to: counts messages, bytes and deliveries."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from services.chassis.bus.topology import EXCHANGE
from services.subscriptions import SUBSCRIPTIONS
from tabling.messaging.v1.envelope_pb2 import Envelope


@dataclass(slots=True)
class Tap:
    """What came by: messages published, the events in them, their bytes, and how many queues each went to."""

    messages: int = 0
    events: int = 0
    size: int = 0
    deliveries: int = 0

    def count(self, body: bytes) -> None:
        """One more message."""
        envelope = Envelope.FromString(body)
        types = {event.type for event in envelope.events}
        self.messages += 1
        self.events += len(envelope.events)
        self.size += len(body)
        self.deliveries += sum(not wanted.isdisjoint(types) for wanted in SUBSCRIPTIONS.values())


@asynccontextmanager
async def tapped(url: str) -> AsyncIterator[Tap]:
    """Count while the block runs. The tap's own queue costs the broker something, too: do not measure CPU meanwhile."""
    tap = Tap()

    async def take(message: AbstractIncomingMessage) -> None:
        tap.count(message.body)

    connection = await aio_pika.connect(url)
    try:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        await queue.bind(EXCHANGE, "#")
        await queue.consume(take, no_ack=True)
        yield tap
    finally:
        await connection.close()
