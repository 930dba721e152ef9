"""Rows that another process changes between our reading and our writing: whoever notices, nothing of it counts."""

import asyncio

import pytest
from sqlalchemy import select, update
from sqlalchemy.util import await_

from services.chassis.database.address import parse
from services.chassis.database.server import ServerDatabase
from tests.component.counters import CounterUnit, add_to, counters, counting_on

pytestmark = pytest.mark.parametrize("address", ["postgresql", "mariadb"], indirect=True)


async def test_what_was_changed_elsewhere_is_done_again_even_if_another_member_of_the_batch_comes_upon_it(
    address: str,
) -> None:
    others, changed = ServerDatabase(parse(address)), asyncio.Event()
    theirs = update(counters).where(counters.c.id == "a").values(count=5, version=counters.c.version + 1)

    def add_without_a_lock(uow: CounterUnit) -> int:
        row = uow.connection.execute(select(counters).where(counters.c.id == "a")).mappings()
        [found] = uow.counters.adopt(row)
        found.add()
        uow.counters.save(found)
        return found.count

    def look_at_everything(uow: CounterUnit) -> int:
        if not changed.is_set():
            changed.set()
            await_(others.write(lambda connection: connection.execute(theirs).close()))
        uow.flush()
        return add_to("b", uow)

    async with counting_on(ServerDatabase(parse(address))) as running:
        await running.lane.run(lambda uow: add_to("a", uow))
        one, other = await asyncio.gather(running.lane.run(add_without_a_lock), running.lane.run(look_at_everything))
        assert (one, other) == (6, 1)
        assert await running.counts() == {"a": 6, "b": 1}
    await others.close()
