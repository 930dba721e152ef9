"""kill -9 at any moment: under load, again and again on one data folder, and while a system starts."""

import asyncio
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from services.chassis.testing import eventually
from services.local.demo import STORES
from tabling.management.v1.management_service_pb2 import ListStoresRequest
from tabling.seat.v1.seat_service_pb2 import ListTablesRequest
from tests.agreement import violations
from tests.drills.calls import Client, Record
from tests.drills.conftest import NewDrill
from tests.drills.trial import FULL, Report
from tests.e2e.system import running_system

pytestmark = pytest.mark.drill

ROUNDS = range(8 if FULL else 1)
DEATHS = 5 if FULL else 2
LONGEST_LIFE_SECONDS = 5.0 if FULL else 3.0


@pytest.mark.parametrize("round_", ROUNDS)
async def test_killing_a_busy_system_again_and_again_loses_nothing_and_does_nothing_twice(
    round_: int, new_drill: NewDrill, reports: list[Report]
) -> None:
    moments = Random(f"kill -9, {round_}")
    drill = new_drill(f"kill -9, {round_}")
    lives = [moments.uniform(0.1, LONGEST_LIFE_SECONDS) for _ in range(DEATHS)]
    for seconds in lives:
        await drill.die_after(seconds)
    report = await drill.recover(f"kill -9, {DEATHS} times", ",".join(f"{seconds:.1f}s" for seconds in lives))
    reports.append(report)
    assert not report.findings, report.findings


@pytest.mark.parametrize("round_", ROUNDS)
async def test_a_system_killed_while_it_starts_for_the_first_time_starts_the_next_time(
    round_: int, tmp_path: Path
) -> None:
    moments = Random(f"start, {round_}")
    data = tmp_path / "data"
    for _ in range(DEATHS):
        with suppress(TimeoutError):
            async with asyncio.timeout(moments.uniform(0.5, 4.0)), running_system(data, "--no-gateway"):
                pass
    async with running_system(data, "--no-gateway") as system, Client(system, Record(Random())) as client:
        await eventually(lambda: not violations(data), seconds=10)
        stores = (await client.read("management", ListStoresRequest())).stores
        assert sorted(store.name for store in stores) == sorted(f"stores/{store.id}" for store in STORES)
        for store in STORES:
            tables = await client.read("seat", ListTablesRequest(parent=f"stores/{store.id}"))
            assert sorted(table.capacity for table in tables.tables) == sorted(store.tables)
