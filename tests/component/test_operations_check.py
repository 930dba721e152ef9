"""The check of all databases and queues, as a command."""

import asyncio
from collections.abc import Callable

import aio_pika
import pytest
from sqlalchemy import text
from yarl import URL

from services.chassis.bus.link import connection_to
from services.operations.catalogue import topology
from tests.component.operations_kit import Ops, settle, write

WAITS = "INSERT INTO outbox (id, body, created_at) VALUES ('e1', '', '2026-03-02')"


async def test_all_is_well_in_empty_databases(ops: Ops) -> None:
    await settle(ops)
    said = await ops("check")
    assert (said.code, said.out) == (0, "No violations.\n")


@pytest.mark.every_database
async def test_what_is_wrong_is_told_by_name_with_code_1(ops: Ops) -> None:
    await settle(ops)
    await write(ops, "seat", lambda c: c.execute(text(WAITS)).rowcount)
    said = await ops("check", "--patience", "0")
    assert (said.code, said.out) == (1, "seat has not published envelope e1\n1 violation.\n")
    assert (await ops("check", "--patience", "0", "-o", "json")).json == {
        "violations": ["seat has not published envelope e1"]
    }


async def test_what_is_under_way_is_given_time(ops: Ops) -> None:
    await settle(ops)
    await write(ops, "seat", lambda c: c.execute(text(WAITS)).rowcount)
    checking = asyncio.create_task(ops("check", "--patience", "60"))
    await write(ops, "seat", lambda c: c.execute(text("DELETE FROM outbox")).rowcount)
    said = await checking
    assert said.code == 0, said


async def test_what_holds_only_at_rest_is_not_looked_at_in_a_system_that_moves(ops: Ops) -> None:
    await settle(ops)
    await write(ops, "seat", lambda c: c.execute(text(WAITS)).rowcount)
    assert (await ops("check", "--moving")).code == 0


async def test_messages_on_the_broker_are_told(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    await settle(ops)
    url = fresh_vhost()
    ops.keep(BUS=url)
    async with connection_to(URL(url), "tests") as connection:
        channel = await connection.channel()
        await topology().declare(channel)
        for queue in ("dashboard.retry.4", "seat.dead"):
            await channel.default_exchange.publish(aio_pika.Message(b"?"), queue)
        given_up, waiting = "queue seat.dead holds what seat could not apply", "queue dashboard.retry.4 holds messages"
        at_rest = await ops("check", "--patience", "0", "-o", "json")
        assert at_rest.json == {"violations": [waiting, given_up]}
        moving = await ops("check", "--moving", "-o", "json")
        assert (moving.code, moving.json) == (1, {"violations": [given_up]})
