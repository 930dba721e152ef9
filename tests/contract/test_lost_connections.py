"""Connections to database servers that break: nothing is lost, nothing happens twice, nobody has to guess."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, CursorResult, make_url
from sqlalchemy.util import await_

from services.chassis.database.address import parse
from services.chassis.database.server import ServerDatabase
from services.chassis.kernel import OutcomeUnknown, StorageBusy
from services.chassis.testing import eventually
from tests.component.counters import COUNTED, CounterUnit, Running, add_to, counting_on
from tests.contract.cutter import Cut, Cutter, cutter

pytestmark = pytest.mark.parametrize("address", ["postgresql", "mariadb"], indirect=True)


@asynccontextmanager
async def through(wire: Cutter, address: str, seconds: float = 3.0) -> AsyncIterator[Running]:
    """Counting on a database behind a wire that can be cut."""
    url = parse(make_url(address).set(port=wire.port).render_as_string(hide_password=False))
    database = ServerDatabase(url, patience_seconds=3 * seconds, longest_seconds=seconds)
    async with counting_on(database) as running:
        yield running


@asynccontextmanager
async def wired(address: str, seconds: float = 3.0) -> AsyncIterator[tuple[Cutter, Running]]:
    """A wire and counting behind it."""
    url = make_url(address)
    assert url.host
    assert url.port
    async with cutter(url.host, url.port) as wire, through(wire, address, seconds) as running:
        yield wire, running


@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("place", ["begin", "write", "commit"])
async def test_a_transaction_whose_connection_breaks_takes_effect_once(address: str, place: str, cut: Cut) -> None:
    begin = b"BEGIN" if address.startswith("postgresql") else b"START TRANSACTION"
    words = {"begin": begin, "write": COUNTED.encode(), "commit": b"COMMIT"}
    async with wired(address) as (wire, running):
        await running.lane.run(lambda uow: add_to("a", uow))
        wire.arm(words[place], cut)
        assert await running.lane.run(lambda uow: add_to("a", uow)) == 2
        assert wire.cuts == 1
        assert await running.counts() == {"a": 2}
        assert len(running.committed) == 2


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_batch_whose_commit_nobody_confirmed_takes_effect_once(address: str, cut: Cut) -> None:
    async with wired(address) as (wire, running):
        await running.lane.run(lambda uow: add_to("a", uow))
        wire.arm(b"COMMIT", cut)
        answers = await asyncio.gather(*(running.lane.run(lambda uow: add_to("a", uow)) for _ in range(5)))
        assert sorted(answers) == [2, 3, 4, 5, 6]
        assert wire.cuts == 1
        assert await running.counts() == {"a": 6}


async def test_without_a_mark_an_unconfirmed_commit_is_not_guessed_at(address: str) -> None:
    async with wired(address) as (wire, running):
        wire.arm(b"COMMIT", Cut.AFTER)
        with pytest.raises(OutcomeUnknown):
            await running.database.write(lambda c: c.exec_driver_sql("DELETE FROM counters"))


async def test_a_server_that_is_gone_is_told_as_such_and_used_again_when_it_is_back(address: str) -> None:
    async with wired(address, 1.0) as (wire, running):
        await running.lane.run(lambda uow: add_to("a", uow))
        async with wire.dead():
            with pytest.raises(StorageBusy):
                await running.lane.run(lambda uow: add_to("a", uow))
            with pytest.raises(StorageBusy):
                await running.counts()
        assert await running.lane.run(lambda uow: add_to("a", uow)) == 2


async def test_a_connection_that_the_server_ends_between_two_statements_is_replaced(address: str) -> None:
    operator = ServerDatabase(parse(address))
    ended: list[int] = []

    def add_and_lose_the_connection(uow: CounterUnit) -> int:
        count = add_to("a", uow)
        uow.flush()
        if not ended:
            ended.append(int(uow.connection.exec_driver_sql(OWN_ID[uow.connection.dialect.name]).scalar_one()))
            await_(end_connection(operator, ended[0]))
        return count

    async with counting_on(ServerDatabase(parse(address))) as running:
        assert await running.lane.run(add_and_lose_the_connection) == 1
        assert await running.counts() == {"a": 1}
    assert ended
    await operator.close()


OWN_ID = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT connection_id()"}
END = {"postgresql": "SELECT pg_terminate_backend({})", "mariadb": "KILL {}"}
THERE = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE pid = {}",
    "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE id = {}",
}


async def end_connection(operator: ServerDatabase, id_: int) -> None:
    """Have the server end somebody's connection; returns once it has."""

    def said(connection: Connection, words: dict[str, str]) -> CursorResult[Any]:
        return connection.exec_driver_sql(words[connection.dialect.name].format(id_))

    await operator.read(lambda connection: said(connection, END).close())
    await eventually(lambda: operator.read(lambda connection: said(connection, THERE).scalar_one() == 0))


async def test_a_server_that_falls_silent_is_not_waited_for_without_end(address: str) -> None:
    async with wired(address, 1.0) as (wire, running):
        await running.lane.run(lambda uow: add_to("a", uow))
        async with wire.silent():
            with pytest.raises(StorageBusy):
                await running.lane.run(lambda uow: add_to("a", uow))
        assert await running.lane.run(lambda uow: add_to("a", uow)) == 2
