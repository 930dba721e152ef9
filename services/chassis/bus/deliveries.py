"""The consuming side of RabbitMQ: messages handed over as they come, acknowledged once they were dealt with."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractChannel, DeliveredMessage

from services.chassis.bus.link import LOST, Link, translated, watch
from services.chassis.bus.topology import Topology, spare
from services.chassis.crash import crash_point

SUSPICIOUS_RETURNS = 2
"""What came back so often may be what its consumers died of."""

SHUFFLE_SECONDS = 0.2
CANCEL_SECONDS = 1.0

Handle = Callable[[DeliveredMessage], Awaitable[None]]
"""Returns once a message need not come again."""


class Deliveries:
    """What is delivered to one consumer: begun in order, as much at once as was fetched.

    A message is acknowledged once it was dealt with; on a channel that was lost meanwhile it is not, and comes again.
    What came back again and again is dealt with one at a time and in random order, so that a message which kills the
    process does not take those beside it along to the dead letters.
    """

    def __init__(self, url: str, name: str, consumer: str, topology: Topology, handle: Handle, prefetch: int) -> None:
        self._link = Link(url, name, self._session)
        self._queues = (consumer, spare(consumer))
        self._topology = topology
        self._handle = handle
        self._prefetch = prefetch
        self._acks: Acks | None = None
        self._tags: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._alone = asyncio.Lock()

    async def serve(self) -> None:
        """Fetch until cancelled. What has not ended by then comes again."""
        try:
            await self._link.serve()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self, seconds: float) -> None:
        """Fetch no more, and let what runs end within `seconds`."""
        acks = self._acks
        if acks:
            with suppress(*LOST), translated():
                async with asyncio.timeout(CANCEL_SECONDS):
                    for tag in self._tags:
                        await acks.channel.basic_cancel(tag)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        if acks:
            await acks.sent()

    async def _session(self, connection: AbstractConnection) -> None:
        channel = await connection.channel(publisher_confirms=False)
        over = asyncio.Event()
        await watch(channel, over)
        await channel.set_qos(self._prefetch)
        await self._topology.declare(channel)
        acks = Acks(await channel.get_underlay_channel())

        async def arrived(message: DeliveredMessage) -> None:
            acks.expect(message.delivery_tag or 0)
            task = asyncio.create_task(self._deliver(message, acks))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._tags = [f"{queue}.{number}" for number, queue in enumerate(self._queues)]
        for queue, tag in zip(self._queues, self._tags, strict=True):
            await acks.channel.basic_consume(queue, arrived, consumer_tag=tag)
        self._acks = acks
        self._link.connected()
        try:
            await over.wait()
        finally:
            self._acks = None

    async def _deliver(self, message: DeliveredMessage, acks: "Acks") -> None:
        headers: Mapping[str, Any] = message.header.properties.headers or {}
        if headers.get("x-delivery-count", 0) < SUSPICIOUS_RETURNS:
            await self._handle(message)
        else:
            await asyncio.sleep(random.uniform(0, SHUFFLE_SECONDS))  # noqa: S311 - any order will do
            async with self._alone:
                await self._handle(message)
        crash_point("consumer.before_ack")
        acks.add(message.delivery_tag or 0)


class Acks:
    """Acknowledges what one channel delivered, with few frames: one tells of all up to a delivery."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel
        self._open: set[int] = set()
        self._done: list[int] = []
        self._sending: asyncio.Task[None] | None = None

    def expect(self, tag: int) -> None:
        """A delivery is there, to be acknowledged later."""
        self._open.add(tag)

    def add(self, tag: int) -> None:
        """Acknowledge a delivery, together with others that are done in the same moment."""
        self._open.discard(tag)
        self._done.append(tag)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def sent(self) -> None:
        """Return once all of them were handed to the connection."""
        if self._sending:
            await self._sending

    async def _send(self) -> None:
        # a tag means nothing on another channel: what was on a lost one is delivered again
        with suppress(*LOST), translated():
            while self._done:
                done, self._done = sorted(self._done), []
                still_open = min(self._open, default=done[-1] + 1)
                together = [tag for tag in done if tag < still_open]
                if together:
                    await self.channel.basic_ack(together[-1], multiple=True, wait=False)
                for tag in done[len(together) :]:
                    await self.channel.basic_ack(tag, wait=False)
                crash_point("consumer.after_ack")
