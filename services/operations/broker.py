"""What is there on RabbitMQ, looked at over AMQP without changing anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import (
    AMQPError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    InvalidFrameError,
)
from yarl import URL

from services.chassis.bus.link import connection_to
from services.chassis.bus.topology import Exchange, Queue
from services.chassis.running import CannotRun
from services.operations.databases import why
from services.operations.printing import masked

CONFIRM_SECONDS = 3.0


class BrokerUnusable(CannotRun):
    """RabbitMQ cannot be reached, or does not let us in."""


class Presence(StrEnum):
    """Whether something is there as it is declared."""

    THERE = "there"
    MISSING = "missing"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """A queue as it is; `messages` are those that wait to be delivered."""

    presence: Presence
    messages: int = 0
    consumers: int = 0


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AbstractConnection]:
    """A connection to the broker. Raises `BrokerUnusable`, also instead of what goes wrong inside the block."""
    try:
        async with connection_to(URL(url), "tabling operations") as connection:
            yield connection
    except InvalidFrameError as error:
        name = URL(url).path.removeprefix("/") or "/"
        raise BrokerUnusable(
            f"RabbitMQ at {masked(url)} does not open the virtual host {name}: it has none of this name, or does "
            "not let this user in"
        ) from error
    except (AMQPError, OSError, TimeoutError, ValueError) as error:
        raise BrokerUnusable(f"RabbitMQ at {masked(url)} cannot be used: {why(error)}") from error


async def see_exchange(connection: AbstractConnection, exchange: Exchange) -> Presence:
    """Whether an exchange is there."""
    channel = await (await connection.channel()).get_underlay_channel()
    try:
        await channel.exchange_declare(exchange.name, passive=True)
        # what is there is not made: the same question with arguments only tells whether they are the same
        arguments = dict(exchange.arguments)
        await channel.exchange_declare(exchange.name, exchange_type=exchange.kind, durable=True, arguments=arguments)
    except ChannelNotFoundEntity:
        return Presence.MISSING
    except ChannelPreconditionFailed:
        return Presence.DIFFERENT
    await channel.close()
    return Presence.THERE


async def see_queue(connection: AbstractConnection, queue: Queue) -> QueueSeen:
    """Whether a queue is there, of the kind it should be, and what is in it."""
    channel = await (await connection.channel()).get_underlay_channel()
    try:
        seen = await channel.queue_declare(queue.name, passive=True)
        held = (seen.message_count or 0, seen.consumer_count or 0)
    except ChannelNotFoundEntity:
        return QueueSeen(Presence.MISSING)
    try:
        await channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
    except ChannelPreconditionFailed:
        return QueueSeen(Presence.DIFFERENT, *held)
    await channel.close()
    return QueueSeen(Presence.THERE, *held)


async def takes_messages(url: str) -> bool:
    """Whether the broker confirms what is published: with a memory or disk alarm it does not read from publishers.

    What is published for this leads nowhere, and comes back. Raises `BrokerUnusable`.
    """
    async with connected(url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        try:
            # the first one is taken still: only then is the broker's mind on this connection
            for _ in range(2):
                async with asyncio.timeout(CONFIRM_SECONDS):
                    with suppress(DeliveryError):
                        await channel.default_exchange.publish(aio_pika.Message(b""), f"nowhere.{uuid4()}")
        except TimeoutError:
            return False
    return True


def version(connection: AbstractConnection) -> str:
    """The broker's version."""
    transport = connection.transport
    properties = transport.connection.server_properties if transport else {}
    return str(properties.get("version", "0"))
