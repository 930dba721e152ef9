"""What every bus promises, with outbox, relay and inbox around it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from services.chassis.bus import Subscription
from services.chassis.bus.memory import MemoryBus
from services.chassis.consumer import Consumer
from services.chassis.messages import envelope
from services.chassis.outbox import Publisher, Relay
from services.chassis.testing import eventually
from tests.component.counters import HANDLERS, Running, add_to, counting, message, metadata

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@asynccontextmanager
async def relaying(running: Running, bus: Publisher) -> AsyncIterator[Relay]:
    """A relay from a database of counters to the bus."""

    async def remove(ids: list[str]) -> None:
        await running.lane.run(lambda uow: uow.outbox.remove(ids))

    relay = Relay(running.database, metadata, bus, remove, sweep_seconds=0.05)
    task = asyncio.create_task(relay.serve())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.wait([task])


async def outbox_rows(running: Running) -> int:
    """Envelopes not yet removed."""
    statement = select(func.count()).select_from(metadata.tables["outbox"])
    return await running.database.read(lambda c: int(c.execute(statement).scalar_one()))


async def dead_letters(running: Running) -> list[str]:
    """Subjects of the dead letters."""
    statement = select(metadata.tables["dead_letters"].c.subject)
    return await running.database.read(lambda c: list(c.execute(statement).scalars()))


def subscription(name: str, running: Running) -> Subscription:
    """A consumer of counted events, quick to give up."""
    consumer = Consumer(name, HANDLERS, running.lane, attempts=2, first_delay_seconds=0.001)
    return Subscription(name, consumer.types, consumer.receive)


async def test_an_event_reaches_every_consumer_and_leaves_the_outbox(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with counting(tmp_path) as source, counting(tmp_path / "a") as a, counting(tmp_path / "b") as b:
        bus = MemoryBus(("a", "b"))
        await bus.subscribe(subscription("a", a))
        await bus.subscribe(subscription("b", b))
        async with relaying(source, bus) as relay:
            await source.lane.run(lambda uow: add_to("x", uow))
            relay.hand_over(source.committed[-1].outbox.written)
            await eventually(lambda: relay.backlog == 0)
            assert await outbox_rows(source) == 0
            assert await a.counts() == await b.counts() == {"copy-x": 1}


async def test_an_event_waits_in_the_outbox_until_every_consumer_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    async with counting(tmp_path) as source, counting(tmp_path / "a") as a:
        bus = MemoryBus(("a",))
        async with relaying(source, bus):
            await source.lane.run(lambda uow: add_to("x", uow))
            assert await outbox_rows(source) == 1
            await bus.subscribe(subscription("a", a))
            await eventually(lambda: _empty(source))
            assert await a.counts() == {"copy-x": 1}


async def test_what_a_crash_left_in_the_outbox_is_published_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    async with counting(tmp_path) as source:
        await source.lane.run(lambda uow: add_to("x", uow))
    async with counting(tmp_path) as source, counting(tmp_path / "a") as a:
        bus = MemoryBus(("a",))
        await bus.subscribe(subscription("a", a))
        async with relaying(source, bus):
            await eventually(lambda: _empty(source))
            assert await a.counts() == {"copy-x": 1}


async def test_an_envelope_that_comes_three_times_takes_effect_once(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        receive = subscription("a", running).receive
        body = envelope("counters", [message("x"), message("x")], NOW)
        await asyncio.gather(*(receive(body) for _ in range(3)))
        await receive(body)
        assert await running.counts() == {"copy-x": 2}


async def test_a_poisonous_event_is_put_aside_alone(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        body = envelope("counters", [message("x"), message("poison"), message("y")], NOW)
        receive = subscription("a", running).receive
        await receive(body)
        await receive(body)
        assert await running.counts() == {"copy-x": 1, "copy-y": 1}
        assert await dead_letters(running) == ["poison"]


async def test_an_event_that_breaks_a_rule_is_not_taken_for_applied(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        for _ in range(10):
            await running.lane.run(lambda uow: add_to("copy-x", uow))
        refused = envelope("counters", [message("x")], NOW)
        others = [envelope("counters", [message(f"y{i}")], NOW) for i in range(5)]
        receive = subscription("a", running).receive
        await asyncio.gather(*map(receive, [refused, *others]))
        assert await dead_letters(running) == ["x"]


async def _empty(running: Running) -> bool:
    return await outbox_rows(running) == 0
