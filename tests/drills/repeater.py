"""Brings every message to its consumer three times and in any order, from between the broker's exchanges and queues."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from random import Random

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from yarl import URL

from services.chassis.bus.link import connection_to
from services.chassis.testing import eventually
from services.subscriptions import SUBSCRIPTIONS

TIMES = 3
LONGEST_DELAY_SECONDS = 1.5
DRAINING_SECONDS = 60.0


class Repeater:
    """Takes over the queues' bindings; `messages` is how many different ones it was brought."""

    def __init__(self, channel: AbstractChannel, seed: object) -> None:
        self._channel = channel
        self._random = Random(str(seed))
        self._tasks: set[asyncio.Task[None]] = set()
        self.messages = 0

    async def take_over(self, consumer: str) -> AbstractQueue:
        """Everything for this consumer comes through here from now on."""
        queue = await self._channel.declare_queue(f"repeated.{consumer}", durable=True)
        await queue.bind(consumer, "")
        await queue.consume(partial(self._receive, consumer))
        await (await self._channel.get_queue(consumer)).unbind(consumer, "")
        return queue

    async def give_back(self, queues: Mapping[str, AbstractQueue]) -> None:
        """The consumers' queues are bound again; what is held back here still arrives."""
        for consumer, queue in queues.items():
            await (await self._channel.get_queue(consumer)).bind(consumer, "")
            await queue.unbind(consumer, "")
        for queue in queues.values():
            await eventually(partial(self._is_empty, queue.name), seconds=DRAINING_SECONDS)
        while self._tasks:
            await asyncio.wait(self._tasks)
        for queue in queues.values():
            await queue.delete(if_unused=False)

    async def _is_empty(self, name: str) -> bool:
        return not (await self._channel.declare_queue(name, durable=True)).declaration_result.message_count

    async def _receive(self, consumer: str, message: AbstractIncomingMessage) -> None:
        self.messages += 1
        task = asyncio.create_task(self._bring_all(consumer, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring_all(self, consumer: str, message: AbstractIncomingMessage) -> None:
        await asyncio.gather(*(self._bring(consumer, message) for _ in range(TIMES)))
        await message.ack()

    async def _bring(self, consumer: str, message: AbstractIncomingMessage) -> None:
        await asyncio.sleep(self._random.uniform(0, LONGEST_DELAY_SECONDS))
        copy = Message(
            message.body,
            headers=message.headers,
            message_id=message.message_id,
            content_type=message.content_type,
            app_id=message.app_id,
            delivery_mode=message.delivery_mode,
        )
        await self._channel.default_exchange.publish(copy, routing_key=consumer)


@asynccontextmanager
async def repeating(bus: str, seed: object) -> AsyncIterator[Repeater]:
    """Every event comes three times and shuffled, for the length of the block."""
    async with connection_to(URL(bus), "tests") as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.set_qos(500)
        repeater = Repeater(channel, seed)
        queues = {consumer: await repeater.take_over(consumer) for consumer in SUBSCRIPTIONS}
        try:
            yield repeater
        finally:
            await repeater.give_back(queues)
