"""Reads take turns: however many there are, writes and what the service asks for itself find a connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.util import await_

from services.chassis.database import Database
from services.chassis.database.address import parse
from services.chassis.database.server import ServerDatabase
from services.chassis.kernel import StorageBusy
from services.chassis.readiness import Readiness
from services.chassis.testing import eventually

pytestmark = pytest.mark.parametrize("address", ["postgresql", "mariadb"], indirect=True)

Read = Callable[[Callable[[Connection], None]], Awaitable[None]]
"""One of the ways to read for a caller."""

READS: dict[str, Callable[[Database], Read]] = {
    "read": lambda database: database.read,
    "look": lambda database: database.look_in_turn,
    "scan": lambda database: database.scan,
}
MANY = 30


class Crowd:
    """Reads that end when they are let go."""

    def __init__(self) -> None:
        self.under_way = 0
        self.most = 0
        self.tasks: list[asyncio.Task[None]] = []
        self._let_go = asyncio.Event()

    def come(self, read: Read, count: int = MANY) -> None:
        """Begin so many more reads."""
        self.tasks += [asyncio.create_task(self._one(read)) for _ in range(count)]

    async def let_go(self) -> None:
        """End all reads; none has failed."""
        self._let_go.set()
        await asyncio.gather(*self.tasks)

    async def leave(self) -> None:
        """Cancel all reads, those under way and those that wait."""
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    async def _one(self, read: Read) -> None:
        await read(self._stay)

    def _stay(self, connection: Connection) -> None:
        connection.execute(select(1))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await_(self._let_go.wait())
        finally:
            self.under_way -= 1


@asynccontextmanager
async def opened(address: str, longest_seconds: float = 5.0) -> AsyncIterator[ServerDatabase]:
    database = ServerDatabase(parse(address), patience_seconds=0.1, longest_seconds=longest_seconds)
    yield database
    await database.close()


def one(connection: Connection) -> int:
    return int(connection.execute(select(1)).scalar_one())


@pytest.mark.parametrize("way", READS)
async def test_writes_and_the_services_own_looks_find_a_connection_while_more_reads_wait_than_there_are(
    address: str, way: str
) -> None:
    crowd = Crowd()
    async with opened(address) as database:
        crowd.come(READS[way](database))
        await eventually(lambda: crowd.under_way == 7)
        assert await database.write(one) == 1
        assert await database.look(one) == 1
        assert await database.write(one) == 1
        await crowd.let_go()
        assert crowd.most == 7


async def test_a_service_is_ready_while_more_reads_wait_than_there_are_connections(address: str) -> None:
    crowd = Crowd()
    told: list[bool] = []

    async def say(ready: bool) -> None:
        told.append(ready)

    async with opened(address) as database:
        crowd.come(database.read)
        await eventually(lambda: crowd.under_way == 7)
        readiness = asyncio.create_task(Readiness(database, say).serve())
        await eventually(lambda: len(told) == 1)
        assert told == [True]
        readiness.cancel()
        await crowd.let_go()


@pytest.mark.parametrize("way", READS)
async def test_a_read_whose_turn_does_not_come_is_refused(address: str, way: str) -> None:
    crowd = Crowd()
    async with opened(address, longest_seconds=1.0) as database:
        crowd.come(database.scan, 7)  # a scan may take twice as long as others wait for it
        await eventually(lambda: crowd.under_way == 7)
        with pytest.raises(StorageBusy):
            await READS[way](database)(lambda connection: None)
        assert await database.write(one) == 1
        await crowd.let_go()


async def test_reads_that_are_cancelled_leave_their_turns_to_others(address: str) -> None:
    gone, crowd = Crowd(), Crowd()
    async with opened(address) as database:
        gone.come(database.read)
        await eventually(lambda: gone.under_way == 7)
        await gone.leave()
        assert gone.under_way == 0
        crowd.come(database.read)
        await eventually(lambda: crowd.under_way == 7)
        await crowd.let_go()


async def test_reads_that_fail_leave_their_turns_to_others(address: str) -> None:
    crowd = Crowd()
    async with opened(address) as database:
        failed = await asyncio.gather(*(database.read(_fail) for _ in range(MANY)), return_exceptions=True)
        assert {type(error) for error in failed} == {ZeroDivisionError}
        crowd.come(database.read)
        await eventually(lambda: crowd.under_way == 7)
        await crowd.let_go()


def _fail(connection: Connection) -> None:
    raise ZeroDivisionError
