"""What a consumer cannot apply: it waits in retry queues, longer each time, and ends among the dead letters."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from aiormq.abc import DeliveredMessage

from services.chassis.bus import BusUnusable, Refused
from services.chassis.bus.topology import Topology, dead
from services.chassis.bus.wire import Failure, Packet, durable, failure_of, single
from services.chassis.crash import crash_point
from services.chassis.kernel import StorageBusy, StorageFull
from services.chassis.logs import get_logger
from tabling.messaging.v1.envelope_pb2 import Event

PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

Send = Callable[[str, str, Packet], Awaitable[None]]
"""`send(exchange, routing key, packet)`: returns once the broker has it, raises `BusUnusable` or `Refused`."""

_before: ContextVar[Failure | None] = ContextVar("failure of what is being received", default=None)

log = get_logger(__name__)


def received(message: DeliveredMessage) -> None:
    """What follows in this task is the receiving of `message`."""
    _before.set(failure_of(message.header.properties.headers or {}))


class Aside:
    """Puts failures aside. Each method returns only once the broker has it, however long that takes."""

    def __init__(self, topology: Topology, send: Send) -> None:
        self._topology = topology
        self._send = send

    async def event(self, consumer: str, event: Event, error: Exception) -> None:
        """An event failed, alone, among those of the message that this task receives."""
        failure = Failure.after(_before.get(), error, datetime.now(UTC))
        source = event.type.partition(".")[0]
        await self._keep(self._place(consumer, failure, event.id), single(source, event, failure))

    async def whole(self, consumer: str, message: DeliveredMessage, error: Exception) -> None:
        """A message could not be received. That its database was unusable is not the message's fault."""
        before = _before.get()
        if isinstance(error, StorageBusy | StorageFull):
            log.warning("put off until its database is back", consumer=consumer, error=error.reason)
            await self._keep(self._topology.longest_retry_queue(consumer), _copy(message, before))
        else:
            failure = Failure.after(before, error, datetime.now(UTC))
            id_ = message.header.properties.message_id
            await self._keep(self._place(consumer, failure, id_), _copy(message, failure))

    async def undecodable(self, consumer: str, message: DeliveredMessage, error: Exception) -> None:
        """A message that no number of attempts will make readable."""
        log.error(
            "dead letter", consumer=consumer, id=message.header.properties.message_id, reason=type(error).__name__
        )
        await self._keep(dead(consumer), _copy(message, Failure.after(None, error, datetime.now(UTC))))

    def _place(self, consumer: str, failure: Failure, id_: str | None) -> str:
        queue = self._topology.retry_queue(consumer, failure.attempts)
        if queue:
            log.warning("put aside", consumer=consumer, id=id_, queue=queue, reason=failure.reason)
        else:
            log.error("dead letter", consumer=consumer, id=id_, reason=failure.reason, attempts=failure.attempts)
        return queue or dead(consumer)

    async def _keep(self, queue: str, packet: Packet) -> None:
        pause = PAUSE_SECONDS
        while True:
            try:
                await self._send("", queue, packet)
                crash_point("aside.kept")
                return
            except (BusUnusable, Refused) as error:
                log.warning("not put aside yet", queue=queue, error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _copy(message: DeliveredMessage, failure: Failure | None) -> Packet:
    properties = message.header.properties
    headers = dict(properties.headers or {}) | (failure.headers if failure else {})
    return durable(message.body, properties.message_id, headers, properties.app_id)
