"""Dead letters on RabbitMQ, for operators: look at them, send them again, drop them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.abc import DeliveredMessage
from google.protobuf.message import DecodeError
from pamqp.commands import Basic
from yarl import URL

from services.chassis.bus import BusUnusable
from services.chassis.bus.link import LOST, connection_to, translated
from services.chassis.bus.topology import dead
from services.chassis.bus.wire import durable, failure_of, parse, unfailed
from tabling.messaging.v1.envelope_pb2 import Envelope

SECONDS = 10.0
"""The longest that one step may take."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that a consumer could not apply.

    `id` is that of the event, or of the envelope where it died whole. `reason` is the class of an error, or what
    RabbitMQ says: `delivery_limit` where consumers died of it. `attempts` counts deliveries, each tried several times.
    """

    id: str
    reason: str
    attempts: int
    first_time: datetime | None
    last_time: datetime | None
    body: bytes
    tag: int

    @property
    def envelope(self) -> Envelope | None:
        """What it says; None where it cannot be read."""
        try:
            return parse(self.body)
        except DecodeError:
            return None


class DeadLetters:
    """A consumer's dead letters, oldest first, kept from everyone else for as long as this is open.

    Those that are not sent again or dropped stay, in their order, whatever happens to this process. `left` is how many
    more there are than were fetched.
    """

    def __init__(self, channel: AbstractChannel, consumer: str, messages: list[DeliveredMessage]) -> None:
        self._channel = channel
        self._consumer = consumer
        self._messages = {message.delivery_tag or 0: message for message in messages}
        self.letters = [_letter(message) for message in messages]
        self.left = (messages[-1].message_count or 0) if messages else 0

    async def resend(self, letter: DeadLetter) -> None:
        """Send it to its consumer as if it had never failed. After a crash in between it is there twice.

        Raises `BusUnusable`.
        """
        message = self._messages[letter.tag]
        properties = message.header.properties
        again = durable(message.body, properties.message_id, unfailed(properties.headers or {}), properties.app_id)
        async with _bounded():
            broker = await self._channel.get_underlay_channel()
            await broker.basic_publish(again.body, exchange=self._consumer, properties=again.properties, mandatory=True)
        await self.drop(letter)

    async def drop(self, letter: DeadLetter) -> None:
        """Forget it. Raises `BusUnusable`."""
        async with _bounded():
            broker = await self._channel.get_underlay_channel()
            await broker.basic_ack(letter.tag)
        del self._messages[letter.tag]
        self.letters.remove(letter)


@asynccontextmanager
async def dead_letters(url: str, consumer: str, *, most: int = 1000) -> AsyncIterator[DeadLetters]:
    """The oldest of a consumer's dead letters, `most` at most. Raises `BusUnusable`."""
    # at its end whatever was not acknowledged goes back to its place
    async with AsyncExitStack() as open_:
        async with _bounded():
            connecting = connection_to(URL(url), f"dead letters of {consumer}", SECONDS)
            connection = await open_.enter_async_context(connecting)
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        yield DeadLetters(channel, consumer, [message async for message in _fetch(channel, dead(consumer), most)])


async def _fetch(channel: AbstractChannel, queue: str, most: int) -> AsyncIterator[DeliveredMessage]:
    broker = await channel.get_underlay_channel()
    for _ in range(most):
        async with _bounded():
            message = await broker.basic_get(queue)
        if isinstance(message.delivery, Basic.GetEmpty):
            return
        yield message


@asynccontextmanager
async def _bounded() -> AsyncIterator[None]:
    try:
        with translated():
            async with asyncio.timeout(SECONDS):
                yield
    except ChannelNotFoundEntity as error:
        raise BusUnusable(f"not on the broker: {error}") from error
    except LOST as error:
        raise BusUnusable(f"{type(error).__name__}: {error}") from error


def _letter(message: DeliveredMessage) -> DeadLetter:
    properties = message.header.properties
    headers: Mapping[str, Any] = properties.headers or {}
    id_, tag = properties.message_id or "", message.delivery_tag or 0
    if failure := failure_of(headers):
        times = (failure.first_time, failure.last_time)
        return DeadLetter(id_, failure.reason, failure.attempts, *times, message.body, tag)
    death: Mapping[str, Any] = next(iter(headers.get("x-death", ())), {})
    return DeadLetter(id_, death.get("reason", ""), 0, death.get("time"), death.get("time"), message.body, tag)
