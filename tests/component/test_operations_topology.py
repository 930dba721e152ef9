"""The topology on the operators' command line."""

from collections.abc import Callable

import aio_pika
from yarl import URL

from services.chassis.bus.link import connection_to
from services.operations.catalogue import topology
from tests.component.operations_kit import Ops


async def test_the_topology_is_shown_without_a_broker(ops: Ops) -> None:
    shown = await ops.json("topology")
    assert {"source": "tabling", "routing_key": "seat.table.changed.v1", "destination": "management"} in [
        {name: binding[name] for name in ("source", "routing_key", "destination")} for binding in shown["bindings"]
    ]
    assert "queue    seat.dead" in (await ops("topology")).out


async def test_what_is_missing_on_the_broker_is_told_and_can_be_made(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    ops.keep(BUS=fresh_vhost())
    missing = await ops("topology", "--live", "-o", "json")
    assert missing.code == 1
    assert {row["presence"] for row in missing.json} == {"missing"}
    made = await ops.json("topology", "--declare")
    assert {row["presence"] for row in made} == {"there"}
    assert await ops.json("topology", "--live") == made
    names = {row["name"] for row in made}
    assert names == {*(e.name for e in topology().exchanges()), *(q.name for q in topology().queues())}


async def test_looking_makes_nothing(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    ops.keep(BUS=fresh_vhost())
    for _ in range(2):
        assert {row["presence"] for row in (await ops("topology", "--live", "-o", "json")).json} == {"missing"}


async def test_a_queue_of_another_kind_is_told(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    url = fresh_vhost()
    ops.keep(BUS=url)
    async with connection_to(URL(url), "tests") as connection:
        channel = await connection.channel()
        await channel.declare_queue("seat", durable=True)
        await channel.default_exchange.publish(aio_pika.Message(b"1"), "seat")
        said = await ops("topology", "--live", "-o", "json")
        assert said.code == 1
        (seen,) = [row for row in said.json if (row["kind"], row["name"]) == ("queue", "seat")]
        assert (seen["presence"], seen["messages"]) == ("different", 1)


async def test_on_the_memory_bus_there_is_no_broker_to_look_at(ops: Ops) -> None:
    said = await ops("topology", "--live")
    assert said.code == 1
    assert said.err.startswith("error: the services are on the memory bus: name RabbitMQ in TABLING_BUS")


async def test_a_broker_that_is_away_is_told_without_the_password(ops: Ops) -> None:
    ops.keep(BUS="amqp://tabling:secret@127.0.0.1:1/tabling")
    said = await ops("topology", "--live")
    assert said.code == 1
    assert "RabbitMQ at amqp://tabling:…@127.0.0.1:1/tabling cannot be used" in said.err
    assert "secret" not in said.err
