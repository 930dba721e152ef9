"""Dead letters on the operators' command line: in the services' databases and on RabbitMQ."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aio_pika
import pytest
from sqlalchemy import Connection, select
from yarl import URL

from services.chassis.bus.link import connection_to
from services.chassis.bus.topology import dead
from services.chassis.bus.wire import Failure, single
from services.chassis.messages import Message, envelope
from services.chassis.testing import eventually
from services.operations.catalogue import table, topology
from tabling.messaging.v1.envelope_pb2 import Event
from tests.component.dashboard_kit import NOON, World, dashboard, received, store_changed
from tests.component.operations_kit import Ops, database, settle

STORE_CHANGED = "management.store.changed.v1"


@asynccontextmanager
async def a_dashboard(ops: Ops, *, stubborn: bool = False) -> AsyncIterator[World]:
    """A dashboard that runs on the folder; a stubborn one cannot apply what it hears of stores."""
    async with dashboard(ops.folder) as world:
        if stubborn:
            handlers = world.service.consumer._handlers
            world.service.consumer._handlers = {
                **handlers,
                STORE_CHANGED: replace(handlers[STORE_CHANGED], apply=_fail),
            }
        yield world


def _fail(message: Any, uow: Any) -> None:
    raise KeyError("the text of an error may tell a phone number")


async def a_dead_letter(ops: Ops, *messages: Message) -> None:
    """Have a dashboard give up what it hears of stores, and keep the rest."""
    await settle(ops)
    async with a_dashboard(ops, stubborn=True) as world:
        await world.tell(*(messages or (store_changed("s1", 1, display_name="Sushi"),)))


async def held(ops: Ops, name: str) -> list[str]:
    """The ids in a table of the dashboard."""

    def ids(connection: Connection) -> list[str]:
        column = table("dashboard", name).c.id
        return [*connection.execute(select(column).order_by(column)).scalars()]

    async with database(ops, "dashboard") as opened:
        return await opened.read(ids)


@pytest.mark.every_database
async def test_a_dead_letter_is_listed_and_shown_with_what_it_says(ops: Ops) -> None:
    await a_dead_letter(ops)
    (listed,) = await ops.json("dead-letters", "list")
    assert (listed["consumer"], listed["type"], listed["subject"]) == ("dashboard", [STORE_CHANGED], ["stores/s1"])
    assert (listed["reason"], listed["place"]) == ("KeyError", "table")
    (shown,) = await ops.json("dead-letters", "show", listed["id"])
    assert shown["events"][0]["data"]["store"]["displayName"] == "Sushi"
    assert "KeyError" in (await ops("dead-letters", "list", "dashboard")).out
    assert await ops.json("dead-letters", "list", "seat") == []


async def test_no_phone_number_is_shown(ops: Ops) -> None:
    await a_dead_letter(ops, store_changed("s1", 1, phone="02-123-4567"))
    (listed,) = await ops.json("dead-letters", "list")
    said = await ops("dead-letters", "show", listed["id"])
    assert '"phone": "…"' in said.out
    assert "4567" not in said.out


@pytest.mark.every_database
async def test_what_is_sent_again_is_applied_once_the_service_can(ops: Ops) -> None:
    await a_dead_letter(ops, store_changed("s1", 1, display_name="Sushi"), received("r1"))
    (letter,) = await held(ops, "dead_letters")
    said = await ops("dead-letters", "resend", letter)
    assert (said.code, said.out) == (0, "1 dead letter sent again.\n")
    assert (await held(ops, "dead_letters"), await held(ops, "outbox")) == ([], [letter])
    async with a_dashboard(ops) as world:
        assert await eventually(lambda: world.rows_of("stores"))
        await eventually(lambda: world.nothing_waits())
        assert [row[2] for row in await world.rows_of("stores")] == ["Sushi"]
    assert await held(ops, "dead_letters") == []


async def test_what_is_sent_again_in_vain_is_a_dead_letter_again(ops: Ops) -> None:
    await a_dead_letter(ops)
    (letter,) = await held(ops, "dead_letters")
    assert (await ops("dead-letters", "resend", "--all")).code == 0
    async with a_dashboard(ops, stubborn=True) as world:
        await eventually(lambda: world.nothing_waits())
    assert await held(ops, "dead_letters") == [letter]


@pytest.mark.every_database
async def test_what_is_dropped_never_takes_effect(ops: Ops) -> None:
    told = store_changed("s1", 1)
    await a_dead_letter(ops, told)
    (letter,) = await held(ops, "dead_letters")
    assert (await ops("dead-letters", "drop", letter, "--yes")).out == "1 dead letter dropped.\n"
    assert await held(ops, "dead_letters") == []
    async with a_dashboard(ops) as world:
        body = envelope("management", [told], NOON)
        body.id = body.events[0].id = letter
        await world.bus.publish(body)
        assert await world.rows_of("stores") == []


@pytest.mark.parametrize("command", ["show", "resend", "drop --yes"])
async def test_a_letter_that_is_not_there_is_told(ops: Ops, command: str) -> None:
    await settle(ops)
    said = await ops("dead-letters", *command.split(), "e1")
    assert (said.code, said.err) == (1, "error: no dead letter has the id e1: type `scripts/ops dead-letters list`\n")


# on RabbitMQ


@asynccontextmanager
async def broker(ops: Ops, url: str) -> AsyncIterator[Any]:
    """A channel to a broker with everything that the services need on it, past the bus."""
    ops.keep(BUS=url)
    async with connection_to(URL(url), "tests") as connection:
        channel = await connection.channel()
        await topology().declare(channel)
        yield channel


async def give_up(channel: Any, consumer: str, *subjects: str) -> list[str]:
    """Put events among a consumer's dead letters, as the bus would; gives their ids."""
    ids = []
    for subject in subjects:
        told = store_changed(subject, 1)
        event = Event(id=f"event-{subject}", type=told.type, subject=told.subject, data=told.data)
        failure = Failure(5, "KeyError", datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
        await channel.default_exchange.publish(single("management", event, failure), dead(consumer))
        ids.append(event.id)
    return ids


async def waiting(channel: Any, queue: str) -> int:
    """How many messages are in a queue."""
    return int((await channel.declare_queue(queue, passive=True)).declaration_result.message_count or 0)


async def test_dead_letters_on_the_broker_are_listed_and_shown(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    await settle(ops)
    async with broker(ops, fresh_vhost()) as channel:
        first, second = await give_up(channel, "dashboard", "s1", "s2")
        listed = await ops.json("dead-letters", "list")
        facts = [(row["id"], row["place"], row["attempts"]) for row in listed]
        assert facts == [(first, "queue", 5), (second, "queue", 5)]
        (shown,) = await ops.json("dead-letters", "show", second)
        assert shown["events"][0]["data"]["store"]["name"] == "stores/s2"
        assert await eventually(lambda: _as_many(channel, 2))


async def test_dead_letters_on_the_broker_are_sent_again_or_dropped(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    await settle(ops)
    async with broker(ops, fresh_vhost()) as channel:
        first, second, _ = await give_up(channel, "dashboard", "s1", "s2", "s3")
        assert (await ops("dead-letters", "resend", first)).out == "1 dead letter sent again.\n"
        assert await waiting(channel, "dashboard") == 1
        assert (await ops("dead-letters", "drop", second, "--yes")).out == "1 dead letter dropped.\n"
        assert await eventually(lambda: _as_many(channel, 1))
        assert (await ops("dead-letters", "resend", "--all", "--service", "dashboard")).code == 0
        assert await ops.json("dead-letters", "list") == []
        assert await waiting(channel, "dashboard") == 2


async def _as_many(channel: Any, number: int) -> bool:
    return await waiting(channel, dead("dashboard")) == number


async def test_what_nobody_can_read_is_listed_too(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    await settle(ops)
    async with broker(ops, fresh_vhost()) as channel:
        await channel.default_exchange.publish(aio_pika.Message(b"?", message_id="m1"), dead("seat"))
        (listed,) = await ops.json("dead-letters", "list", "seat")
        assert (listed["id"], listed["type"]) == ("m1", [])
        assert (await ops("dead-letters", "drop", "m1", "--yes")).code == 0


async def test_a_broker_that_is_away_is_told(ops: Ops) -> None:
    await settle(ops)
    ops.keep(BUS="amqp://tabling:secret@127.0.0.1:1/")
    said = await ops("dead-letters", "list")
    assert (said.code, "RabbitMQ at amqp://tabling:…@127.0.0.1:1/ cannot be used" in said.err) == (1, True), said


async def test_a_broker_that_lacks_the_queues_is_told(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    await settle(ops)
    ops.keep(BUS=fresh_vhost())
    said = await ops("dead-letters", "list")
    assert said.code == 1
    assert "the dead letters of reception on amqp://tabling:…@" in said.err
    assert "scripts/ops doctor" in said.err
