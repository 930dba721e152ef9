"""What goes wrong with the servers and processes of a full system, each for a bounded time."""

import asyncio
import signal
from collections.abc import Sequence
from random import Random

import aio_pika
from aio_pika.abc import AbstractChannel
from yarl import URL

from services.chassis.bus.link import connection_to
from services.chassis.bus.topology import EXCHANGE, dead
from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from services.full.servers import Maria, Postgres, Rabbit
from services.subscriptions import SUBSCRIPTIONS
from tabling.messaging.v1.envelope_pb2 import Envelope, Event
from tests.drills.arena import Trouble
from tests.drills.calls import Client
from tests.drills.fleet import Fleet

WARM = 30
"""So many requests have been answered when the trouble begins."""

WARMING_SECONDS = 180.0

POISON = "reception.reception.added.v1"
LONG_RETRY = 3
"""The retry queue in which there is time to find it."""

POISON_SECONDS = 60.0


async def warm(client: Client, more: int = WARM) -> None:
    """Return once so many further requests were answered."""
    wanted = accepted(client) + more
    await eventually(lambda: accepted(client) >= wanted, seconds=WARMING_SECONDS)


def accepted(client: Client, *methods: str) -> int:
    """How many requests were answered so far."""
    return sum(1 for _ in client.record.accepted(*methods))


def in_turn(*troubles: Trouble) -> Trouble:
    """One after the other, some work being done in between."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        for each in troubles:
            await warm(client)
            await each(fleet, client)

    return trouble


def killed(server: Rabbit | Postgres | Maria, seconds: float = 0.0) -> Trouble:
    """kill -9 of a server with all its processes; started again after so long."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        await asyncio.to_thread(server.kill)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(server.start)

    return trouble


def joined_without(rabbit: Rabbit, seconds: float) -> Trouble:
    """The broker is down for so long; parties join all the while."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        await asyncio.to_thread(rabbit.kill)
        try:
            for _ in range(round(seconds)):
                wanted = accepted(client, "CreateReception") + 1
                second = asyncio.create_task(asyncio.sleep(1))
                await eventually(lambda wanted=wanted: accepted(client, "CreateReception") >= wanted, seconds=15)  # type: ignore[misc]
                await second
        finally:
            await asyncio.to_thread(rabbit.start)

    return trouble


def standing_still(server: Rabbit | Postgres | Maria, seconds: float) -> Trouble:
    """SIGSTOP: connections stay open, and nothing is answered."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        server.pause()
        try:
            await asyncio.sleep(seconds)
        finally:
            server.resume()

    return trouble


def queue_deleted(bus: str, consumer: str) -> Trouble:
    """A consumer's queue is deleted, with whatever waits in it."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        async with connection_to(URL(bus), "tests") as connection:
            channel = await connection.channel()
            await channel.queue_delete(consumer)

    return trouble


def dying_for(seconds: float, every: tuple[float, float], services: Sequence[str] = tuple(PORTS)) -> Trouble:
    """kill -9 of one process or another, again and again."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        random = Random(f"{seconds} {every}")
        limit = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < limit:
            await asyncio.sleep(random.uniform(*every))
            random.choice(fleet.of(random.choice(services))).signal(signal.SIGKILL)

    return trouble


def nothing_but_load(requests: int) -> Trouble:
    """Nothing goes wrong."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        await warm(client, requests)

    return trouble


def poisoned(bus: str) -> Trouble:
    """A message that nobody can read, and one that nobody can apply; both end up aside, and an operator drops them."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        consumers = [name for name, types in SUBSCRIPTIONS.items() if POISON in types]
        # who dies after putting something aside, and before saying so, does it again
        copies = {name: 2 + len(fleet.of(name)[0].deaths) for name in consumers}
        event = Event(id="poison", type=POISON, subject="poison", data=b"\xff", correlation_id="poison")
        event.time.GetCurrentTime()
        async with connection_to(URL(bus), "tests") as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(EXCHANGE)
            for body in (b"\xff", Envelope(id="poisoned", source="poison", events=[event]).SerializeToString()):
                await exchange.publish(aio_pika.Message(body, message_id="poison"), routing_key=POISON)
            for name in consumers:
                await _drop(channel, (dead(name), f"{name}.retry.{LONG_RETRY}"), copies[name])

    return trouble


async def _drop(channel: AbstractChannel, names: Sequence[str], messages: int) -> None:
    """Purge queues until so many messages were in them."""
    dropped = 0

    async def all_dropped() -> bool:
        nonlocal dropped
        for name in names:
            dropped += (await (await channel.get_queue(name)).purge()).message_count or 0
        return dropped >= messages

    await eventually(all_dropped, seconds=POISON_SECONDS)
