"""Two seats on one database: whichever of them hears of a party or a table, it is as if there were one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.util import await_

from services.chassis.testing import eventually
from services.seat.application.follow_reception import follow_reception
from services.seat.domain.seating import ReceptionNews, Stage
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1 import seat_service_pb2 as rpc
from tabling.seat.v1.events_pb2 import Seating
from tabling.seat.v1.table_pb2 import Table
from tests.component.seat_kit import TIMEOUT, House, seat

pytestmark = pytest.mark.parametrize("storage", ["postgresql", "mariadb"], indirect=True)


async def test_no_table_stays_empty_while_somebody_waits_for_it(tmp_path: Path) -> None:
    async with seat(tmp_path) as one, seat(tmp_path) as other:
        both = (one, other)
        for n in range(12):
            store = f"s{n}"
            await one.store_is(store)
            joins = [both[i % 2].join(f"{store}-p{i}", store=store) for i in range(4)]
            tables = [both[i % 2].add_table(f"t{i}", 2, store) for i in range(4)]
            await asyncio.gather(*(act for pair in zip(joins, tables, strict=True) for act in pair))
            assert await _parties_at_tables(one, store) == {f"{store}-p{i}" for i in range(4)}


async def test_tables_that_are_freed_at_once_are_all_counted(tmp_path: Path) -> None:
    async with seat(tmp_path) as one, seat(tmp_path) as other:
        other.versions = one.versions
        await one.store_is()
        for n in range(8):
            await one.add_table(f"t{n}", 2)
            await one.join(f"p{n}")

        def all_are(state: Reception.State.ValueType, round_: int) -> Any:
            tell = ((one, other)[n % 2].reception_is(f"p{n}", state, round=round_) for n in range(8))
            return asyncio.gather(*tell)

        for round_ in range(5):
            await all_are(Reception.COMPLETED, round_)
            free = await one.stub.GetAvailability(rpc.GetAvailabilityRequest(name="stores/s1/availability"))
            assert (free.tables_free, free.seats_remaining) == (8, 16)
            await all_are(Reception.SEATED, round_ + 1)


async def test_a_party_of_a_store_that_is_only_just_heard_of_gets_its_table(tmp_path: Path) -> None:
    async with seat(tmp_path) as one, seat(tmp_path) as other:
        gate = asyncio.Event()

        def join(uow: Any) -> None:
            follow_reception(ReceptionNews("p1", "s1", 1, Stage.WAITING, 2, 1), uow)
            uow.flush()
            await_(gate.wait())

        async def furnish() -> None:
            await other.store_is()
            await other.add_table("t1", 2)

        joining, furnishing = one.service.frame.lane.run(join), asyncio.ensure_future(furnish())
        # it has to wait until the party is there
        await asyncio.wait([furnishing], timeout=0.5)
        gate.set()
        await asyncio.gather(joining, furnishing)
        assert await _parties_at_tables(one, "s1") == {"p1"}


async def test_a_hold_runs_out_once(tmp_path: Path) -> None:
    async with seat(tmp_path) as one, seat(tmp_path, clock=one.clock) as other:
        await one.store_is()
        await one.add_table("t1", 2)
        await one.join("p1")
        await other.join("p2")
        one.clock.advance(TIMEOUT)
        await eventually(lambda: _told(one, other, "p2", Seating.HELD))
        assert _told(one, other, "p1", Seating.EXPIRED) == 1
        assert await other.has("t1") == "HELD p2"


async def _parties_at_tables(house: House, store: str) -> set[str]:
    request = rpc.ListTablesRequest(parent=f"stores/{store}", page_size=100)
    tables = (await house.stub.ListTables(request)).tables
    assert all(table.state == Table.HELD for table in tables)
    return {table.reception.rpartition("/")[2] for table in tables}


def _told(one: House, other: House, party: str, state: Seating.State.ValueType) -> int:
    return sum(seating.state == state for house in (one, other) for seating in house.seatings(party))
