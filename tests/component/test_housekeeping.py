"""Housekeeping: what no longer matters is forgotten, however much of it there is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.util import await_

from services.chassis import housekeeping
from services.chassis.clock import ManualClock
from services.chassis.database.opening import open_database
from services.chassis.testing import eventually
from tests.component.counters import CounterUnit, Running, counting, counting_on, metadata
from tests.conftest import Kind

MANY = 2 * housekeeping.ROWS_AT_ONCE + 1
EVERY = timedelta(seconds=housekeeping.EVERY_SECONDS)
NAMES = ("inbox", "requests")


@asynccontextmanager
async def pruning(running: Running, clock: ManualClock) -> AsyncIterator[None]:
    """Housekeeping that is under way."""
    task = asyncio.create_task(housekeeping.keep_house(running.lane, clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def fill(running: Running, name: str, count: int, age: timedelta) -> None:
    """So many rows of that age."""
    at = datetime.now(UTC) - age
    of: dict[str, dict[str, Any]] = {
        "inbox": {"applied_at": at},
        "requests": {"fingerprint": "", "response": b"", "created_at": at},
    }

    def insert(uow: CounterUnit) -> None:
        rows = [{"id": f"{age.days}-{n}", **of[name]} for n in range(count)]
        uow.connection.execute(metadata.tables[name].insert(), rows)

    await running.lane.run(insert)


async def left(running: Running) -> list[int]:
    """How many rows each table has."""
    counts = [select(func.count()).select_from(metadata.tables[name]) for name in NAMES]
    return await running.database.read(lambda c: [c.execute(count).scalar_one() for count in counts])


async def test_all_that_is_old_goes_at_once_and_what_is_not_stays(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        for name, keep in zip(NAMES, (housekeeping.KEEP_INBOX, housekeeping.KEEP_REQUESTS), strict=True):
            await fill(running, name, MANY, keep + timedelta(days=1))
            await fill(running, name, 3, keep - timedelta(days=1))
        async with pruning(running, ManualClock(datetime.now(UTC))):
            await eventually(lambda: _is(running, [3, 3]))


async def test_one_tables_rows_all_go_when_the_other_one_has_none(tmp_path: Path) -> None:
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir()
        async with counting(folder) as running:
            await fill(running, name, MANY, timedelta(days=30))
            async with pruning(running, ManualClock(datetime.now(UTC))):
                await eventually(partial(_is, running, [0, 0]))


async def test_what_grows_old_later_goes_later(tmp_path: Path) -> None:
    clock = ManualClock(datetime.now(UTC))
    async with counting(tmp_path) as running, pruning(running, clock):
        await eventually(lambda: running.committed)
        await fill(running, "inbox", MANY, timedelta(days=30))
        clock.advance(EVERY)
        await eventually(lambda: _is(running, [0, 0]))


async def test_what_another_process_is_about_to_delete_is_left_to_it(fresh_database: Callable[[Kind], str]) -> None:
    # MariaDB would read a table as small as this one whole, and wait for locked rows that it does not delete
    address, locked, gate = fresh_database("postgresql"), asyncio.Event(), asyncio.Event()

    def lock(uow: CounterUnit) -> None:
        answers = uow.table("requests")
        uow.connection.execute(select(answers.c.id).limit(housekeeping.ROWS_AT_ONCE).with_for_update()).all()
        locked.set()
        await_(gate.wait())

    async with counting_on(open_database(address)) as one, counting_on(open_database(address)) as other:
        await fill(one, "requests", MANY, timedelta(days=30))
        locking = one.lane.run(lock)
        await locked.wait()
        async with pruning(other, ManualClock(datetime.now(UTC))):
            await eventually(lambda: _has_answers(other, housekeeping.ROWS_AT_ONCE))
            gate.set()
            await locking


async def _has_answers(running: Running, count: int) -> bool:
    return (await left(running))[1] == count


async def _is(running: Running, counts: list[int]) -> bool:
    found = await left(running)
    assert found == counts
    return True
