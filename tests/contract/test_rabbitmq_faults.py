"""RabbitMQ gone, back, silent or standing still: nothing is lost, everybody comes back, nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aio_pika
import grpc
import pytest
from aio_pika.abc import AbstractConnection

from services.chassis.addresses import free_port
from services.chassis.bus import BusUnusable
from services.chassis.bus.dead import dead_letters
from services.chassis.bus.link import Link
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.topology import Topology
from services.chassis.clock import SystemClock
from services.chassis.settings import from_environment
from services.chassis.testing import eventually, running
from services.full.servers import Rabbit
from services.management.app import build
from services.subscriptions import SUBSCRIPTIONS
from tabling.management.v1.management_service_pb2 import CreateStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.store_pb2 import Store
from tabling.messaging.v1.envelope_pb2 import Envelope
from tests.component.counters import COUNTED, message
from tests.contract.bus_kit import Inbox, RabbitBuses, batch, noting, publish, topology
from tests.contract.proxy import Proxy, proxied
from tests.entitled import ENVIRONMENT, entitled

SLOW = 40.0
"""Seconds that coming back may take on a machine that has other things to do."""


@pytest.fixture
async def proxy(rabbits: RabbitBuses) -> AsyncIterator[Proxy]:
    """A way to the broker that can be cut; a peer that fell silent is given up in six seconds."""
    async with proxied(f"{rabbits.url}?heartbeat=1") as proxy:
        yield proxy
        await rabbits.close()


@pytest.fixture
async def broker(rabbit: Rabbit, rabbits: RabbitBuses) -> AsyncIterator[Rabbit]:
    """The broker, to be ended and started; it runs again afterwards."""
    yield rabbit
    await asyncio.to_thread(rabbit.resume)
    if rabbit.pid is None:
        await asyncio.to_thread(rabbit.start)


async def flowing(rabbits: RabbitBuses, url: str = "") -> tuple[RabbitBus, Inbox]:
    """A bus and its consumer, connected."""
    inbox = noting("a")
    bus = rabbits.on(topology({"a": inbox.types}), url)
    await bus.subscribe(inbox.subscription)
    await publish(bus, batch(message("x")))
    await eventually(lambda: inbox.ids)
    return bus, inbox


async def still_flows(bus: RabbitBus, inbox: Inbox) -> None:
    """What is published now arrives."""
    body = batch(message("x"))
    await publish(bus, body)
    await eventually(lambda: body.id in inbox.ids, seconds=SLOW)


async def test_a_service_starts_and_serves_without_its_broker(rabbits: RabbitBuses, tmp_path: Path) -> None:
    proxy, changed = Proxy(rabbits.url), "management.store.changed.v1"
    settings = from_environment(
        "management", {**ENVIRONMENT, "TABLING_DATA": str(tmp_path), "TABLING_LISTEN": "127.0.0.1:0"}
    )
    service = build(settings, rabbits.on(Topology(SUBSCRIPTIONS), proxy.url), SystemClock())
    async with running(service) as address, grpc.aio.insecure_channel(address) as channel:
        stub = ManagementServiceStub(entitled(channel))
        await stub.CreateStore(CreateStoreRequest(store_id="sushi", store=Store(display_name="Sushi")))

        async with proxy.serving():
            inbox = noting("dashboard", changed)
            await rabbits.on(Topology(SUBSCRIPTIONS)).subscribe(inbox.subscription)
            await eventually(lambda: [body.events[0].type for body in inbox.bodies] == [changed], seconds=SLOW)


@pytest.mark.parametrize("ended", [Rabbit.kill, Rabbit.stop])
async def test_a_broker_that_ended_takes_nothing_along(
    rabbits: RabbitBuses, broker: Rabbit, ended: Callable[[Rabbit], None]
) -> None:
    publisher = rabbits.make(a={COUNTED})
    bodies = [batch(message(f"x{i}")) for i in range(50)]
    await publish(publisher, *bodies)
    await asyncio.to_thread(ended, broker)

    bus, inbox = rabbits.make(a={COUNTED}), noting("a")
    await bus.subscribe(inbox.subscription)
    async with asyncio.timeout(SLOW):
        with pytest.raises(BusUnusable):
            await bus.publish(batch(message("x")))

    await asyncio.to_thread(broker.start)
    await eventually(lambda: set(inbox.ids) == {body.id for body in bodies}, seconds=SLOW)
    await still_flows(publisher, inbox)


async def test_consumers_and_publishers_come_back_each_time_they_are_cut_off(
    rabbits: RabbitBuses, proxy: Proxy
) -> None:
    bus, inbox = await flowing(rabbits, proxy.url)

    for _ in range(5):
        proxy.cut()
        await still_flows(bus, inbox)

    assert proxy.accepted <= 2 + 5 * 2 * 2


async def test_a_cut_in_the_middle_of_everything_loses_nothing(rabbits: RabbitBuses, proxy: Proxy) -> None:
    bus, inbox = await flowing(rabbits, proxy.url)
    bodies = [batch(message(f"x{i}")) for i in range(200)]
    gate = asyncio.Semaphore(16)

    async def one(body: Envelope) -> None:
        async with gate:
            await publish(bus, body)

    publishing = [asyncio.ensure_future(one(body)) for body in bodies]
    for _ in range(3):
        before = len(inbox.ids)
        await eventually(lambda before=before: len(inbox.ids) > before)  # type: ignore[misc]
        proxy.cut()
    await asyncio.gather(*publishing)

    await eventually(lambda: {body.id for body in bodies} <= set(inbox.ids), seconds=SLOW)


async def test_connections_that_fell_silent_are_given_up(rabbits: RabbitBuses, proxy: Proxy) -> None:
    bus, inbox = await flowing(rabbits, proxy.url)

    proxy.silence()
    async with asyncio.timeout(SLOW):
        with pytest.raises(BusUnusable):
            await bus.publish(batch(message("x")))
    await still_flows(bus, inbox)


async def test_a_broker_that_stands_still_is_waited_for_in_bounded_steps(rabbits: RabbitBuses, broker: Rabbit) -> None:
    bus, inbox = await flowing(rabbits, f"{rabbits.url}?heartbeat=1")
    broker.pause()

    for _ in range(3):
        async with asyncio.timeout(SLOW):
            with pytest.raises(BusUnusable):
                await bus.publish(batch(message("x")))
    broker.resume()

    await still_flows(bus, inbox)


async def test_a_broker_without_memory_holds_publishers_back_and_not_consumers(
    rabbits: RabbitBuses, broker: Rabbit
) -> None:
    bus, inbox = await flowing(rabbits)
    waiting = rabbits.make(b={COUNTED})
    await publish(waiting, batch(message("x")))
    try:
        await asyncio.to_thread(broker.rabbitmqctl, "set_vm_memory_high_watermark", "0.0001")
        async with asyncio.timeout(SLOW):
            with pytest.raises(BusUnusable):
                await bus.publish(batch(message("x")))
        late = noting("b")
        await waiting.subscribe(late.subscription)
        await eventually(lambda: late.ids, seconds=SLOW)
    finally:
        await asyncio.to_thread(broker.rabbitmqctl, "set_vm_memory_high_watermark", "0.6")

    await still_flows(bus, inbox)


async def test_what_is_applied_while_its_connection_is_lost_comes_again(rabbits: RabbitBuses, proxy: Proxy) -> None:
    bus = rabbits.on(topology({"a": {COUNTED}}), proxy.url)
    got: list[str] = []
    released = asyncio.Event()

    async def slow(body: Envelope) -> None:
        got.append(body.id)
        await released.wait()

    await bus.subscribe(Inbox("a", frozenset({COUNTED}), receive=slow).subscription)
    body = batch(message("x"))
    await publish(bus, body)
    await eventually(lambda: got == [body.id])

    proxy.cut()
    await eventually(lambda: got == [body.id] * 2, seconds=SLOW)
    released.set()
    await publish(bus, after := batch(message("y")))
    await eventually(lambda: got == [body.id, body.id, after.id], seconds=SLOW)


async def test_a_consumer_that_leaves_finishes_what_it_began(rabbits: RabbitBuses) -> None:
    bus = rabbits.make(a={COUNTED})
    begun, released = asyncio.Event(), asyncio.Event()

    async def slow(body: Envelope) -> None:
        begun.set()
        await released.wait()

    await bus.subscribe(Inbox("a", frozenset({COUNTED}), receive=slow).subscription)
    await publish(bus, batch(message("x")))
    await begun.wait()
    leaving = asyncio.ensure_future(bus.unsubscribe("a"))
    await asyncio.sleep(0)
    released.set()
    await leaving

    next_ = noting("a")
    await bus.subscribe(next_.subscription)
    await publish(bus, body := batch(message("y")))
    await eventually(lambda: next_.ids == [body.id])


async def test_a_message_that_kills_its_consumers_dies_alone(rabbits: RabbitBuses) -> None:
    described = topology({"a": {COUNTED}}, delivery_limit=15)
    bodies = [batch(message("poison" if i == 10 else f"x{i}")) for i in range(20)]
    applied: set[str] = set()
    await publish(rabbits.on(described), *bodies)

    async def died() -> bool:
        crash = asyncio.Event()

        async def receive(body: Envelope) -> None:
            await asyncio.sleep(0)
            if crash.is_set() or body.id == bodies[10].id:
                crash.set()
                await asyncio.Event().wait()
            applied.add(body.id)

        process = rabbits.on(described, stop_seconds=0)
        await process.subscribe(Inbox("a", frozenset({COUNTED}), receive=receive).subscription)
        try:
            async with asyncio.timeout(2):
                await crash.wait()
        except TimeoutError:
            return await rabbits.dead_letters("a") == ["poison"]
        finally:
            await process.close()
        return False

    await eventually(died, seconds=SLOW)
    assert applied == {body.id for body in bodies} - {bodies[10].id}
    async with dead_letters(rabbits.url, "a") as box:
        assert [letter.reason for letter in box.letters] == ["delivery_limit"]


async def test_connections_that_do_not_come_about_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[aio_pika.Connection] = []

    class Noted(aio_pika.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    async def session(connection: AbstractConnection) -> None:
        raise AssertionError("nobody listens there")

    monkeypatch.setattr(aio_pika, "Connection", Noted)
    link = Link(f"amqp://guest@127.0.0.1:{free_port()}/", "nowhere", session)
    serving = asyncio.create_task(link.serve())
    await link.tried.wait()
    serving.cancel()
    await asyncio.wait([serving])
    assert made
    assert all(connection.is_closed for connection in made)
