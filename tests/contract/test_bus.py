"""What every bus promises, with outbox, relay and inbox around it."""

import asyncio
from pathlib import Path

from services.chassis.kernel import StorageBusy
from services.chassis.testing import eventually
from tabling.messaging.v1.envelope_pb2 import Envelope
from tests.component.counters import COUNTED, Running, add_to, message
from tests.contract.bus_kit import (
    Buses,
    Inbox,
    batch,
    counters,
    noting,
    outbox_rows,
    publish,
    relaying,
    subscription,
    told,
)

SAT, LEFT, PAID = "a.party.sat.v1", "a.party.left.v1", "a.party.paid.v1"


async def test_an_event_reaches_every_consumer_and_leaves_the_outbox(buses: Buses, tmp_path: Path) -> None:
    bus = buses.make(a={COUNTED}, b={COUNTED})
    async with counters(tmp_path, "source") as source, counters(tmp_path, "a") as a, counters(tmp_path, "b") as b:
        await bus.subscribe(subscription("a", a, bus))
        await bus.subscribe(subscription("b", b, bus))
        async with relaying(source, bus) as relay:
            await source.lane.run(lambda uow: add_to("x", uow))
            relay.hand_over(source.committed[-1].outbox.written)
            await eventually(lambda: relay.backlog == 0)
            assert await outbox_rows(source) == 0
            await eventually(lambda: _count(a, {"copy-x": 1}))
            await eventually(lambda: _count(b, {"copy-x": 1}))


async def test_an_event_waits_for_a_consumer_that_is_not_there_yet(buses: Buses, tmp_path: Path) -> None:
    bus = buses.make(a={COUNTED})
    async with counters(tmp_path, "source") as source, counters(tmp_path, "a") as a, relaying(source, bus) as relay:
        await source.lane.run(lambda uow: add_to("x", uow))
        relay.hand_over(source.committed[-1].outbox.written)
        await asyncio.sleep(0)
        await bus.subscribe(subscription("a", a, bus))
        await eventually(lambda: _count(a, {"copy-x": 1}))
        await eventually(lambda: _empty(source))


async def test_what_a_crash_left_in_the_outbox_is_published_at_the_next_start(buses: Buses, tmp_path: Path) -> None:
    async with counters(tmp_path, "source") as source:
        await source.lane.run(lambda uow: add_to("x", uow))
    bus = buses.make(a={COUNTED})
    async with counters(tmp_path, "source") as source, counters(tmp_path, "a") as a:
        await bus.subscribe(subscription("a", a, bus))
        async with relaying(source, bus):
            await eventually(lambda: _empty(source))
            await eventually(lambda: _count(a, {"copy-x": 1}))


async def test_an_envelope_that_comes_three_times_takes_effect_once(buses: Buses, tmp_path: Path) -> None:
    bus = buses.make(a={COUNTED})
    async with counters(tmp_path, "a") as a:
        await bus.subscribe(subscription("a", a, bus))
        first, last = batch(message("x"), message("x")), batch(message("end"))
        await publish(bus, first, first, first, last)
        await eventually(lambda: _count(a, {"copy-x": 2, "copy-end": 1}))


async def test_a_poisonous_event_is_put_aside_alone(buses: Buses, tmp_path: Path) -> None:
    bus = buses.make(a={COUNTED})
    async with counters(tmp_path, "a") as a:
        await bus.subscribe(subscription("a", a, bus))
        body = batch(message("x"), message("poison"), message("y"))
        await publish(bus, body)
        await eventually(lambda: _dead(buses, a, ["poison"]))
        await publish(bus, body, batch(message("end")))
        await eventually(lambda: _count(a, {"copy-x": 1, "copy-y": 1, "copy-end": 1}))
        assert await buses.dead_letters("a", a) == ["poison"]


async def test_an_event_that_breaks_a_rule_is_not_taken_for_applied(buses: Buses, tmp_path: Path) -> None:
    bus = buses.make(a={COUNTED})
    async with counters(tmp_path, "a") as a:
        for _ in range(10):
            await a.lane.run(lambda uow: add_to("copy-x", uow))
        await bus.subscribe(subscription("a", a, bus))
        await publish(bus, batch(message("x")), *(batch(message(f"y{i}")) for i in range(5)))
        await eventually(lambda: _dead(buses, a, ["x"]))
        assert await a.counts() == {"copy-x": 10} | {f"copy-y{i}": 1 for i in range(5)}


async def test_an_envelope_of_many_types_reaches_once_whoever_wants_any_of_them(buses: Buses) -> None:
    one, two, none = noting("one", SAT), noting("two", LEFT, SAT, PAID), noting("none", COUNTED)
    bus = buses.make(one=one.types, two=two.types, none=none.types)
    for inbox in (one, two, none):
        await bus.subscribe(inbox.subscription)
    mixed, paid, counted = batch(told(SAT), told(LEFT), told(SAT)), batch(told(PAID)), batch(told(COUNTED))

    await publish(bus, mixed, paid, counted)

    await eventually(lambda: none.ids == [counted.id])
    await eventually(lambda: (one.ids, two.ids) == ([mixed.id], [mixed.id, paid.id]))


async def test_an_envelope_that_nobody_wants_counts_as_published(buses: Buses, tmp_path: Path) -> None:
    bus = buses.make(a={SAT})
    nobody = noting("a", SAT)
    await bus.subscribe(nobody.subscription)
    async with counters(tmp_path, "source") as source, relaying(source, bus) as relay:
        await source.lane.run(lambda uow: add_to("x", uow))
        relay.hand_over(source.committed[-1].outbox.written)
        await eventually(lambda: _empty(source))
        assert nobody.ids == []


async def test_a_consumer_begins_envelopes_in_the_order_in_which_they_were_published(buses: Buses) -> None:
    inbox = noting("a")
    bus = buses.make(a=inbox.types)
    await bus.subscribe(inbox.subscription)
    bodies = [batch(message(f"x{i}")) for i in range(100)]

    await publish(bus, *bodies)

    await eventually(lambda: inbox.ids == [body.id for body in bodies])


async def test_what_was_under_way_is_delivered_to_whoever_subscribes_next(buses: Buses) -> None:
    bus = buses.make(a={COUNTED})
    begun = asyncio.Event()

    async def hang(body: Envelope) -> None:
        begun.set()
        await asyncio.Event().wait()

    await bus.subscribe(Inbox("a", frozenset({COUNTED}), receive=hang).subscription)
    body = batch(message("x"))
    publishing = asyncio.ensure_future(publish(bus, body))
    await begun.wait()
    await bus.unsubscribe("a")
    publishing.cancel()

    inbox = noting("a")
    await bus.subscribe(inbox.subscription)
    await publish(bus, body)

    await eventually(lambda: body.id in inbox.ids)


async def test_a_consumer_whose_database_is_unusable_gets_the_envelope_again(buses: Buses, tmp_path: Path) -> None:
    bus = buses.make(a={COUNTED})
    got: list[str] = []

    async def busy_at_first(body: Envelope) -> None:
        got.append(body.id)
        if len(got) < 2:
            raise StorageBusy("not now")

    await bus.subscribe(Inbox("a", frozenset({COUNTED}), receive=busy_at_first).subscription)
    async with counters(tmp_path, "source") as source, relaying(source, bus) as relay:
        await source.lane.run(lambda uow: add_to("x", uow))
        relay.hand_over(source.committed[-1].outbox.written)
        await eventually(lambda: len(got) == 2, seconds=30)
        await eventually(lambda: _empty(source))


async def _empty(running: Running) -> bool:
    return await outbox_rows(running) == 0


async def _count(running: Running, counts: dict[str, int]) -> bool:
    assert await running.counts() == counts
    return True


async def _dead(buses: Buses, running: Running, subjects: list[str]) -> bool:
    assert await buses.dead_letters("a", running) == subjects
    return True
