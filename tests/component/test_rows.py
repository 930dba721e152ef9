"""Rows: one object per id, one statement per kind of change, and nobody's change lost."""

from pathlib import Path

import pytest
from sqlalchemy import update

from services.chassis.kernel import NotFound, Stale
from tests.component.counters import Counter, CounterUnit, add_to, counters, counting


async def test_the_same_id_is_the_same_object_within_a_unit_of_work(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        await running.lane.run(lambda uow: add_to("a", uow))
        assert await running.lane.run(lambda uow: uow.counters.get("a") is uow.counters.get("a"))


async def test_what_does_not_exist_is_not_found(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        with pytest.raises(NotFound, match="counters/a does not exist"):
            await running.lane.run(lambda uow: uow.counters.get("a", "counters/a"))


async def test_an_update_that_somebody_else_overtook_is_stale(tmp_path: Path) -> None:
    def overtaken(uow: CounterUnit) -> None:
        add_to("a", uow)
        uow.connection.execute(update(counters).values(version=99))

    async with counting(tmp_path) as running:
        await running.lane.run(lambda uow: add_to("a", uow))
        with pytest.raises(Stale):
            await running.lane.run(overtaken)
        assert await running.counts() == {"a": 1}


async def test_a_removed_aggregate_is_gone_and_can_come_again(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        await running.lane.run(lambda uow: add_to("a", uow))
        await running.lane.run(lambda uow: uow.counters.remove(uow.counters.get("a")))
        assert await running.counts() == {}
        assert await running.lane.run(lambda uow: add_to("a", uow)) == 1


async def test_an_aggregate_saved_twice_in_a_batch_grows_by_two_versions(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        await running.lane.run(lambda uow: (add_to("a", uow), add_to("a", uow)))

        def version(uow: CounterUnit) -> int:
            return uow.counters.get("a").version

        assert await running.lane.run(version) == 2


async def test_a_change_after_a_flush_is_written_too(tmp_path: Path) -> None:
    def twice(uow: CounterUnit) -> None:
        uow.counters.save(Counter(id="a"))
        uow.flush()
        add_to("a", uow)

    async with counting(tmp_path) as running:
        await running.lane.run(twice)
        assert await running.counts() == {"a": 1}
