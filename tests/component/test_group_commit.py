"""Group commit: many callers, few transactions, and every caller judged alone."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from services.chassis.database.sqlite import SqliteDatabase
from services.chassis.group_commit import GroupCommit
from services.chassis.kernel import DeadlineExceeded, NotFound, StorageBusy, StorageFull, TooBusy
from tests.component.counters import CounterUnit, add_to, counting, counting_on


async def test_work_that_arrives_together_shares_a_transaction(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        await asyncio.gather(*(running.lane.run(partial(add_to, f"c{i}")) for i in range(100)))
        assert len(running.committed) < 10
        assert await running.counts() == {f"c{i}": 1 for i in range(100)}


async def test_members_of_one_batch_see_each_others_changes(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        results = await asyncio.gather(*(running.lane.run(lambda uow: add_to("same", uow)) for _ in range(7)))
        assert results == [1, 2, 3, 4, 5, 6, 7]


async def test_a_broken_rule_fails_its_caller_only(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        results = await asyncio.gather(
            *(running.lane.run(lambda uow: add_to("full", uow)) for _ in range(15)), return_exceptions=True
        )
        assert results[:10] == list(range(1, 11))
        assert all(isinstance(result, NotFound) for result in results[10:])
        assert await running.counts() == {"full": 10}


async def test_an_unexpected_error_fails_its_caller_only(tmp_path: Path) -> None:
    def broken(uow: CounterUnit) -> int:
        add_to("a", uow)
        raise RuntimeError("broken")

    async with counting(tmp_path) as running:
        works = [lambda uow: add_to("a", uow), broken, lambda uow: add_to("a", uow)]
        results = await asyncio.gather(*map(running.lane.run, works), return_exceptions=True)
        assert results[0] == 1
        assert isinstance(results[1], RuntimeError)
        assert results[2] == 2
        assert await running.counts() == {"a": 2}


async def test_a_rule_broken_after_a_change_leaves_nothing_of_the_change(tmp_path: Path) -> None:
    def half(uow: CounterUnit) -> None:
        add_to("a", uow)
        uow.counters.get("missing")

    async with counting(tmp_path) as running:
        results = await asyncio.gather(
            running.lane.run(lambda uow: add_to("b", uow)), running.lane.run(half), return_exceptions=True
        )
        assert isinstance(results[1], NotFound)
        assert await running.counts() == {"b": 1}


async def test_work_whose_deadline_has_passed_is_not_begun(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        with pytest.raises(DeadlineExceeded):
            await running.lane.run(lambda uow: add_to("late", uow), deadline=time.monotonic() - 1)
        assert await running.counts() == {}


async def test_more_waiting_work_than_the_capacity_is_refused_at_once(tmp_path: Path) -> None:
    async with counting(tmp_path, capacity=5) as running:
        results = await asyncio.gather(
            *(running.lane.run(partial(add_to, f"c{i}")) for i in range(8)),
            return_exceptions=True,
        )
        assert sum(isinstance(result, TooBusy) for result in results) == 3


async def test_a_database_locked_by_somebody_else_is_unavailable_and_recovers(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        other = sqlite3.connect(tmp_path / "counters.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageBusy):
            await running.lane.run(lambda uow: add_to("a", uow))
        other.execute("ROLLBACK")
        other.close()
        assert await running.lane.run(lambda uow: add_to("a", uow)) == 1


async def test_a_full_disk_is_resource_exhausted_and_changes_nothing(tmp_path: Path) -> None:
    def fill(uow: CounterUnit) -> None:
        for i in range(5000):
            add_to(f"{'x' * 30}{i}", uow)

    async with counting(tmp_path) as running:
        await running.lane.run(lambda uow: add_to("a", uow))
        await running.database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 40").all())
        with pytest.raises(StorageFull):
            await running.lane.run(fill)
        assert await running.counts() == {"a": 1}
        await running.database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 100000").all())
        assert await running.lane.run(lambda uow: add_to("a", uow)) == 2


class SlowDatabase(SqliteDatabase):
    """Too slow for transactions of more than `most` pieces of work."""

    most = 3

    async def write(
        self, work: Callable[[Connection], Any], took_effect: Callable[[Connection, Any], bool] | None = None
    ) -> Any:
        def bounded(connection: Connection) -> Any:
            flush = work(connection)
            if flush and len(flush.outcomes) > self.most:
                raise StorageBusy("the database cannot be used right now")
            return flush

        return await super().write(bounded, took_effect)


async def test_callers_who_try_again_get_through_to_a_database_that_is_too_slow_for_all_of_them(tmp_path: Path) -> None:
    async def persist(lane: GroupCommit[CounterUnit], counter: str) -> int:
        while True:
            with suppress(StorageBusy):
                return await lane.run(partial(add_to, counter))

    async with counting_on(SlowDatabase(tmp_path / "counters.db")) as running:
        names = [f"c{i}" for i in range(100)]
        async with asyncio.timeout(30):
            await asyncio.gather(*(persist(running.lane, name) for name in names))
        assert await running.counts() == dict.fromkeys(names, 1)
