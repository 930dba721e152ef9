"""Announcements between the replicas of a service: soon, at most once, and never in anyone's way."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from uuid import uuid4

from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from services.chassis.bus import BusUnusable, Heard, Refused
from services.chassis.bus.link import Link, watch
from services.chassis.bus.topology import LIVE, LIVE_QUEUE
from services.chassis.bus.wire import Packet
from services.chassis.logs import get_logger

MOST_TOPICS = 1_000
"""More than this at once is announced as: anything may have changed."""

APART_SECONDS = 0.05
"""Announcements come so far apart at least; the topics of those between are told together."""

Send = Callable[[str, str, Packet], Awaitable[None]]
"""`send(exchange, routing key, packet)`; raises `BusUnusable` or `Refused`."""

log = get_logger(__name__)


class Announcer:
    """Sends announcements; those that cannot be sent right now are dropped."""

    def __init__(self, name: str, send: Send) -> None:
        self.name = name
        self._send = send
        self._pending: dict[str, set[str]] = defaultdict(set)
        self._wake = asyncio.Event()
        self._dropping = False

    def announce(self, service: str, topics: Iterable[str]) -> None:
        """Have topics announced; never waits."""
        self._pending[service].update(topics)
        self._wake.set()

    async def serve(self) -> None:
        """Send until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            pending, self._pending = self._pending, defaultdict(set)
            for service, topics in pending.items():
                if topics:
                    await self._tell(service, topics)
            await asyncio.sleep(APART_SECONDS)

    async def _tell(self, service: str, topics: set[str]) -> None:
        body = "\n".join(topics) if len(topics) <= MOST_TOPICS else ""
        try:
            await self._send(LIVE, service, Packet(body.encode(), Basic.Properties(app_id=self.name)))
            self._dropping = False
        except (BusUnusable, Refused) as error:
            # nobody tells it again: whoever follows something looks at it now and then, told or not
            if not self._dropping:
                log.info("not announced", service=service, error=str(error))
            self._dropping = True


class Listener:
    """Hears what other replicas announce, on a queue of its own that goes with its connection."""

    def __init__(self, url: str, name: str, service: str, heard: Heard) -> None:
        self.link = Link(url, f"{service} listening", self._session)
        self._name = name
        self._service = service
        self._heard = heard

    async def _session(self, connection: AbstractConnection) -> None:
        channel = await connection.channel(publisher_confirms=False)
        over = asyncio.Event()
        await watch(channel, over)
        broker = await channel.get_underlay_channel()
        queue = f"{self._service}.live.{uuid4()}"
        await broker.exchange_declare(LIVE, exchange_type="direct", durable=True)
        await broker.queue_declare(queue, exclusive=True, auto_delete=True, arguments=LIVE_QUEUE)
        await broker.queue_bind(queue, LIVE, self._service)
        await broker.basic_consume(queue, self._arrived, no_ack=True)
        self.link.connected()
        # what was announced while there was no queue is lost
        self._heard(None)
        await over.wait()

    async def _arrived(self, message: DeliveredMessage) -> None:
        if message.header.properties.app_id == self._name:
            return
        try:
            topics = message.body.decode()
            self._heard(frozenset(topics.split("\n")) if topics else None)
        except Exception as error:
            log.error("announcement not heard", service=self._service, exc_info=error)
