"""The bus on RabbitMQ: published means confirmed, received means committed and acknowledged."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from aiormq.abc import DeliveredMessage
from google.protobuf.message import DecodeError

from services.chassis.bus import Heard, Subscription
from services.chassis.bus.aside import Aside, received
from services.chassis.bus.deliveries import Deliveries
from services.chassis.bus.live import Announcer, Listener
from services.chassis.bus.publishing import Publishing, Unroutable
from services.chassis.bus.topology import EXCHANGE, Topology
from services.chassis.bus.wire import Packet, message, parse
from tabling.messaging.v1.envelope_pb2 import Envelope, Event


class RabbitBus:
    """Connects in the background and again whenever it must: a service starts, and serves, without its broker.

    Publishing, each consumer and listening have connections of their own: a broker that holds back a publisher does
    not hold back its consumers. While it cannot be reached `publish` raises at once, and consumers get nothing.
    """

    def __init__(
        self,
        url: str,
        topology: Topology,
        *,
        name: str = "tabling",
        publish_seconds: float = 5.0,
        stop_seconds: float = 5.0,
        prefetch: int = 64,
    ) -> None:
        self._url = url
        self._name = name
        self._topology = topology
        self._stop_seconds = stop_seconds
        self._prefetch = prefetch
        self._publishing = Publishing(url, f"{name} publishing", topology, publish_seconds)
        self._aside = Aside(topology, self._send)
        self._announcer = Announcer(f"{name} {uuid4()}", partial(self._send, mandatory=False))
        self._deliveries: dict[str, Deliveries] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def publish(self, body: Envelope) -> None:
        """Return once every queue of a consumer that wants any of the events holds them durably, or nobody wants any.

        Raises `BusUnusable` after a bounded time, at once while there is no connection; `Refused` when a queue is full,
        or when all are missing, which are then declared again.
        """
        types = list(dict.fromkeys(event.type for event in body.events))
        if not types:
            return
        # the broker decides who gets it, for a consumer may be newer than this process; the topology tells whether
        # somebody must
        wanted = self._topology.wants(types)
        try:
            await self._send(EXCHANGE, types[0], message(body, types), mandatory=wanted)
        except Unroutable:
            self._publishing.heal()
            raise

    async def subscribe(self, subscription: Subscription) -> None:
        """Begin to deliver as soon as the broker can be reached."""
        self._start_publishing()
        consumer = subscription.consumer
        part = self._topology.part(consumer, subscription.types)
        handle = partial(self._receive, subscription)
        name = f"{self._name} consuming {consumer}"
        deliveries = Deliveries(self._url, name, consumer, part, handle, self._prefetch)
        self._deliveries[consumer] = deliveries
        self._start(f"consuming {consumer}", deliveries.serve)

    async def unsubscribe(self, consumer: str) -> None:
        """Fetch no more, let what is under way end within a bounded time; the rest is delivered to somebody else."""
        if deliveries := self._deliveries.pop(consumer, None):
            await deliveries.stop(self._stop_seconds)
            await self._end(f"consuming {consumer}")

    async def put_aside(self, consumer: str, event: Event, error: Exception) -> bool:
        await self._aside.event(consumer, event, error)
        return True

    async def waiting(self, consumer: str) -> Mapping[str, int]:
        self._start("publishing", self._publishing.link.serve)
        queues = [queue.name for queue in self._topology.queues() if queue.name.partition(".")[0] == consumer]
        return await self._publishing.depths(queues)

    def announce(self, service: str, topics: Iterable[str]) -> None:
        self._start("announcing", self._announcer.serve)
        self._announcer.announce(service, topics)

    def listen(self, service: str, heard: Heard) -> None:
        listener = Listener(self._url, self._announcer.name, service, heard)
        self._start(f"listening {service}", listener.link.serve)

    async def close(self) -> None:
        await asyncio.gather(*map(self.unsubscribe, list(self._deliveries)))
        await asyncio.gather(*map(self._end, list(self._tasks)))

    async def _send(self, exchange: str, routing_key: str, packet: Packet, *, mandatory: bool = True) -> None:
        self._start_publishing()
        await self._publishing.send(exchange, routing_key, packet, mandatory=mandatory)

    def _start_publishing(self) -> None:
        self._start("publishing", self._publishing.link.serve)

    async def _receive(self, subscription: Subscription, delivery: DeliveredMessage) -> None:
        received(delivery)
        try:
            body = parse(delivery.body)
        except DecodeError as error:
            await self._aside.undecodable(subscription.consumer, delivery, error)
            return
        try:
            await subscription.receive(body)
        except Exception as error:
            await self._aside.whole(subscription.consumer, delivery, error)

    def _start(self, name: str, serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(serve(), name=f"{self._name} {name}")

    async def _end(self, name: str) -> None:
        if task := self._tasks.pop(name, None):
            task.cancel()
            await asyncio.wait([task])
