"""What holds on RabbitMQ alone: topology, retry queues, dead letters, announcements."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from sqlalchemy import delete
from yarl import URL

from services.chassis.bus import BusUnusable, Refused
from services.chassis.bus.dead import dead_letters
from services.chassis.bus.link import connection_to
from services.chassis.bus.topology import EXCHANGE
from services.chassis.testing import eventually
from tabling.messaging.v1.envelope_pb2 import Envelope
from tests.component.counters import COUNTED, Running, add_to, message
from tests.component.counters import counters as table
from tests.contract.bus_kit import Inbox, RabbitBuses, batch, counters, noting, publish, subscription, topology


@pytest.fixture
async def channel(rabbits: RabbitBuses) -> AsyncIterator[AbstractChannel]:
    """A channel to the broker, past the bus."""
    async with connection_to(URL(rabbits.url), "tests") as connection:
        yield await connection.channel()


async def test_the_topology_is_declared_by_several_services_at_once_and_again(rabbits: RabbitBuses) -> None:
    described = topology({"a": {COUNTED}, "b": {COUNTED, "x.y.z.v1"}})

    async def declare() -> None:
        async with connection_to(URL(rabbits.url), "tests") as connection:
            for _ in range(2):
                await described.declare(await connection.channel())

    await asyncio.gather(*(declare() for _ in range(3)))


async def test_the_topology_is_told_in_words(rabbits: RabbitBuses) -> None:
    described = topology({"a": {COUNTED}})

    text = described.render()

    names = [*(x.name for x in described.exchanges()), *(x.name for x in described.queues())]
    assert [name for name in names if name not in text] == []
    assert COUNTED in text


async def test_an_envelope_can_be_read_without_our_code(rabbits: RabbitBuses, channel: AbstractChannel) -> None:
    bus = rabbits.make(a={COUNTED})
    body = batch(message("x"), message("y"))
    body.events[0].traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await publish(bus, body)

    found = await (await channel.get_queue("a")).get()

    assert Envelope.FromString(found.body) == body
    assert (found.content_type, found.message_id, found.delivery_mode) == ("application/protobuf", body.id, 2)
    attributes = {name.removeprefix("ce-"): value for name, value in found.headers.items() if name.startswith("ce-")}
    assert attributes == {
        "id": body.id,
        "source": "counters",
        "specversion": "1.0",
        "time": "2026-01-02T03:04:00Z",
        "type": "tabling.messaging.v1.Envelope",
    }
    assert found.headers["traceparent"] == body.events[0].traceparent


async def test_a_queue_with_other_arguments_is_not_used(rabbits: RabbitBuses, channel: AbstractChannel) -> None:
    await channel.declare_queue("a", durable=True, arguments={"x-queue-type": "quorum"})
    bus = rabbits.make(a={COUNTED})

    with pytest.raises(BusUnusable):
        await bus.publish(batch(message("x")))


async def test_what_comes_while_a_queue_is_missing_is_not_lost(rabbits: RabbitBuses, channel: AbstractChannel) -> None:
    a, b = noting("a"), noting("b")
    bus = rabbits.make(a=a.types, b=b.types)
    await bus.subscribe(b.subscription)
    early, late = batch(message("x")), batch(message("y"))
    await publish(bus, batch(message("first")))
    await channel.queue_delete("a")

    await publish(bus, early)
    await bus.subscribe(a.subscription)
    await publish(bus, late)

    await eventually(lambda: {early.id, late.id} == set(a.ids))
    assert len(b.ids) == 3


async def test_a_consumer_comes_back_when_its_queue_was_deleted(rabbits: RabbitBuses, channel: AbstractChannel) -> None:
    inbox = noting("a")
    bus = rabbits.make(a=inbox.types)
    await bus.subscribe(inbox.subscription)
    await publish(bus, batch(message("x")))
    await eventually(lambda: len(inbox.ids) == 1)

    for _ in range(3):
        await channel.queue_delete("a")
        body = batch(message("x"))
        await publish(bus, body)
        await eventually(lambda id_=body.id: id_ in inbox.ids)  # type: ignore[misc]


async def test_an_envelope_that_no_queue_takes_has_failed_and_the_queues_come_back(
    rabbits: RabbitBuses, channel: AbstractChannel
) -> None:
    bus = rabbits.make(a={COUNTED})
    await publish(bus, batch(message("x")))
    await channel.queue_delete("a")
    await channel.queue_delete("a.spare")

    with pytest.raises(Refused):
        await bus.publish(batch(message("y")))

    await publish(bus, body := batch(message("y")))
    found = await (await channel.get_queue("a")).get()
    assert found.message_id == body.id


async def test_a_vanished_exchange_comes_back(rabbits: RabbitBuses, channel: AbstractChannel) -> None:
    inbox = noting("a")
    bus = rabbits.make(a=inbox.types)
    await bus.subscribe(inbox.subscription)
    await publish(bus, batch(message("x")))
    await channel.exchange_delete(EXCHANGE)

    with pytest.raises(BusUnusable):
        await bus.publish(batch(message("y")))
    await publish(bus, batch(message("y")))

    await eventually(lambda: len(inbox.ids) == 2)


async def test_a_full_queue_refuses(rabbits: RabbitBuses) -> None:
    bus = rabbits.on(topology({"a": {COUNTED}}, most_messages=2))
    await publish(bus, batch(message("x")), batch(message("x")))

    async def refused() -> bool:
        # quorum queues take a few more before they refuse
        try:
            await bus.publish(batch(message("x")))
        except Refused:
            return True
        return False

    await eventually(refused)


async def test_two_replicas_share_the_work(rabbits: RabbitBuses) -> None:
    first, second = noting("a"), noting("a")
    for inbox in (first, second):
        await rabbits.make(a=inbox.types).subscribe(inbox.subscription)
    bus = rabbits.make(a=first.types)
    bodies = [batch(message(f"x{i}")) for i in range(100)]

    async def both() -> bool:
        await publish(bus, batch(message("warm")))
        return bool(first.ids and second.ids)

    await eventually(both)
    await publish(bus, *bodies)
    await eventually(lambda: {body.id for body in bodies} <= {*first.ids, *second.ids})
    assert not set(first.ids) & set(second.ids)
    assert min(len(first.ids), len(second.ids)) > 20


async def test_poison_waits_in_the_retry_queues_and_dies_with_a_reason(rabbits: RabbitBuses, tmp_path: Path) -> None:
    bus = rabbits.make(a={COUNTED})
    async with counters(tmp_path, "a") as a:
        await bus.subscribe(subscription("a", a, bus))
        await publish(bus, batch(message("x"), message("poison")))
        await eventually(lambda: _dead(rabbits, ["poison"]))
        async with dead_letters(rabbits.url, "a") as box:
            (letter,) = box.letters
        assert (letter.reason, letter.attempts) == ("ValueError", 3)
        assert letter.first_time
        assert letter.last_time
        assert letter.last_time > letter.first_time
        assert await a.counts() == {"copy-x": 1}


async def test_what_was_put_aside_is_applied_once_it_can_be(rabbits: RabbitBuses, tmp_path: Path) -> None:
    bus = rabbits.make(a={COUNTED})
    sizes: list[int] = []
    async with counters(tmp_path, "a") as a:
        inner = subscription("a", a, bus)

        async def fail_first(body: Envelope) -> None:
            sizes.append(len(body.events))
            if len(sizes) > 1:
                await inner.receive(body)
                return
            for event in body.events:
                assert await bus.put_aside("a", event, ValueError())

        await bus.subscribe(Inbox("a", inner.types, receive=fail_first).subscription)
        await publish(bus, batch(message("x"), message("y")))
        await eventually(lambda: _counts(a, {"copy-x": 1, "copy-y": 1}))
        assert sizes == [2, 1, 1]


async def test_dead_letters_are_sent_again_or_dropped_one_by_one(rabbits: RabbitBuses, tmp_path: Path) -> None:
    bus = rabbits.make(a={COUNTED})
    async with counters(tmp_path, "a") as a:
        for _ in range(10):
            await a.lane.run(lambda uow: add_to("copy-x", uow))
        await bus.subscribe(subscription("a", a, bus))
        await publish(bus, *(batch(message(name)) for name in ("poison", "x", "poison", "poison")))
        await eventually(lambda: _dead(rabbits, ["poison", "x", "poison", "poison"], in_order=False))
        await a.lane.run(lambda uow: uow.connection.execute(delete(table)))

        async with dead_letters(rabbits.url, "a") as box:
            before = [letter.id for letter in box.letters]
            (curable,) = [letter for letter in box.letters if _subject(letter.envelope) == "x"]
            await box.resend(curable)
            await box.drop(box.letters[0])
            after = [letter.id for letter in box.letters]

        await eventually(lambda: _counts(a, {"copy-x": 1}))
        async with dead_letters(rabbits.url, "a") as box:
            assert [letter.id for letter in box.letters] == after
        assert after == [id_ for id_ in before if id_ != curable.id][1:]


async def test_looking_at_dead_letters_changes_nothing(rabbits: RabbitBuses, channel: AbstractChannel) -> None:
    await topology({"a": {COUNTED}}).declare(channel)
    for number in range(5):
        await channel.default_exchange.publish(aio_pika.Message(b"", message_id=str(number)), "a.dead")

    seen = []
    for _ in range(4):
        async with dead_letters(rabbits.url, "a", most=3) as box:
            seen.append(([letter.id for letter in box.letters], box.left))

    assert seen == [(["0", "1", "2"], 2)] * 4


async def test_what_cannot_be_read_dies_at_once(rabbits: RabbitBuses, channel: AbstractChannel) -> None:
    inbox = noting("a")
    bus = rabbits.make(a=inbox.types)
    await bus.subscribe(inbox.subscription)
    await publish(bus, batch(message("x")))
    exchange = await channel.get_exchange(EXCHANGE)

    for body in (b"\xff\xff not an envelope", b""):
        await exchange.publish(aio_pika.Message(body, message_id="broken"), COUNTED)

    async def died() -> bool:
        async with dead_letters(rabbits.url, "a") as box:
            return [(x.id, x.reason, x.body[:2]) for x in box.letters] == [
                ("broken", "DecodeError", b"\xff\xff"),
                ("broken", "DecodeError", b""),
            ]

    await eventually(died)


async def test_no_dead_letters_where_there_is_no_consumer(rabbits: RabbitBuses) -> None:
    with pytest.raises(BusUnusable, match=r"nobody\.dead"):
        async with dead_letters(rabbits.url, "nobody"):
            pass


async def test_announcements_reach_the_other_replicas_only(rabbits: RabbitBuses) -> None:
    heard: dict[str, list[frozenset[str] | None]] = {"one": [], "two": [], "other": []}
    buses = {name: rabbits.make(a={COUNTED}) for name in heard}
    for name, bus in buses.items():
        bus.listen("other" if name == "other" else "a", heard[name].append)
    # whoever begins to listen must look at everything once
    await eventually(lambda: all(topics == [None] for topics in heard.values()))
    await publish(buses["one"], batch(message("x")))

    buses["one"].announce("a", ["line/1", "line/2"])
    buses["one"].announce("a", ["line/3"])

    await eventually(lambda: heard["two"] == [None, frozenset({"line/1", "line/2", "line/3"})])
    buses["one"].announce("a", [f"line/{i}" for i in range(5000)])
    await eventually(lambda: heard["two"][2:] == [None])
    assert heard["one"] == heard["other"] == [None]


def _subject(body: Envelope | None) -> str:
    return body.events[0].subject if body else ""


async def _counts(running: Running, counts: dict[str, int]) -> bool:
    assert await running.counts() == counts
    return True


async def _dead(rabbits: RabbitBuses, subjects: list[str], *, in_order: bool = True) -> bool:
    found = await rabbits.dead_letters("a")
    assert found == subjects if in_order else sorted(found) == sorted(subjects)
    return True
