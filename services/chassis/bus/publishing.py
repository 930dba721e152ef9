"""The publishing side of RabbitMQ: one connection of its own, every message confirmed, every wait bounded."""

import asyncio
from collections.abc import Iterable

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError

from services.chassis.bus import BusUnusable, Refused
from services.chassis.bus.link import LOST, Link, translated, watch
from services.chassis.bus.topology import Topology
from services.chassis.bus.wire import Packet
from services.chassis.logs import get_logger

log = get_logger(__name__)


class Unroutable(Refused):
    """No queue took the message."""


class Publishing:
    """Sends messages as soon as they come; any number of them may wait for their confirms at once.

    Every new connection declares the whole topology first, so that queues are there before their consumers ever ran.
    """

    def __init__(self, url: str, name: str, topology: Topology, seconds: float) -> None:
        self.link = Link(url, name, self._session)
        self._topology = topology
        self._seconds = seconds
        self._channel: AbstractChannel | None = None
        self._wake = asyncio.Event()

    async def send(self, exchange: str, routing_key: str, packet: Packet, *, mandatory: bool = True) -> None:
        """Return once the broker has it, on disk where the queue is durable.

        Raises `BusUnusable` after a bounded time, at once while there is no connection: whether the broker has it is
        not known. Raises `Refused` when a queue is full, though others may have it; `Unroutable` when there is none.
        """
        try:
            with translated():
                async with asyncio.timeout(self._seconds):
                    await self._send(exchange, routing_key, packet, mandatory)
        except PublishError as error:
            raise Unroutable(f"nothing takes {routing_key} from exchange {exchange!r}") from error
        except DeliveryError as error:
            raise Refused(f"a queue for {routing_key} takes no more") from error
        except LOST as error:
            raise BusUnusable(f"not confirmed: {type(error).__name__}") from error

    async def _send(self, exchange: str, routing_key: str, packet: Packet, mandatory: bool) -> None:
        await self.link.tried.wait()
        channel = self._channel
        if channel is None:
            raise ConnectionError("no connection to the broker")
        broker = await channel.get_underlay_channel()
        # returns only once the broker takes messages again, should it have blocked its publishers
        await broker.connection.ready()
        await broker.basic_publish(
            packet.body, exchange=exchange, routing_key=routing_key, properties=packet.properties, mandatory=mandatory
        )

    async def depths(self, queues: Iterable[str]) -> dict[str, int]:
        """How many messages are ready in each of these queues. Raises `BusUnusable` after a bounded time."""
        try:
            with translated():
                async with asyncio.timeout(self._seconds):
                    return await self._depths(queues)
        except LOST as error:
            raise BusUnusable(f"not told: {type(error).__name__}") from error

    async def _depths(self, queues: Iterable[str]) -> dict[str, int]:
        await self.link.tried.wait()
        if self._channel is None:
            raise ConnectionError("no connection to the broker")
        broker = await self._channel.get_underlay_channel()
        # a queue that is missing closes the channel that asks for it
        asking = await broker.connection.channel(publisher_confirms=False)
        try:
            return {queue: (await asking.queue_declare(queue, passive=True)).message_count or 0 for queue in queues}
        finally:
            await asking.close()

    def heal(self) -> None:
        """Declare the topology again: something of it is missing."""
        self._wake.set()

    async def _session(self, connection: AbstractConnection) -> None:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await watch(channel, self._wake)
        try:
            while not channel.is_closed:
                self._wake.clear()
                await self._topology.declare(channel)
                self._channel = channel
                self.link.connected()
                await self._wake.wait()
        finally:
            self._channel = None
