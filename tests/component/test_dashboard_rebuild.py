"""The read model put right by what its sources say."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import update

from services.chassis.messages import Message
from services.dashboard.adapters.feeds import FeedUnavailable
from services.dashboard.adapters.tables import metadata, receptions, stores
from services.dashboard.adapters.unit_of_work import DashboardUnit
from services.dashboard.application.model import ReceptionRow
from services.dashboard.application.rebuild import Rebuilt
from services.dashboard.rebuild import rebuild
from tests.component.dashboard_kit import (
    Sources,
    World,
    a_busy_evening,
    availability_changed,
    dashboard,
    received,
    snapshots,
    sources,
    store_changed,
)
from tests.entitled import ENVIRONMENT, KEYS


async def spoil(world: World) -> None:
    """Make the read model wrong in every way that only a rebuild mends: rows changed, missing, made up, too new."""

    def work(uow: DashboardUnit) -> None:
        uow.connection.execute(update(stores).values(display_name="wrong", version=999))
        uow.connection.execute(receptions.delete().where(receptions.c.id < "r030"))
        row = uow.connection.execute(receptions.select().limit(1)).one()
        uow.receptions.put(ReceptionRow(*row)._replace(id="ghost"))

    await world.service.frame.lane.run(work)


async def rebuilt(world: World, feeds: Sources) -> Rebuilt:
    """Rebuild on the database of a service that runs."""
    return await rebuild(world.service.frame.database, feeds.targets, KEYS)


@pytest.mark.every_database
async def test_a_rebuilt_read_model_equals_the_old_one_row_for_row(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path) as world:
        await world.tell(*told)
        feeds.hold(newest)
        before = await world.rows()
        await spoil(world)
        assert await world.rows() != before
        done = await rebuilt(world, feeds)
        assert await world.rows() == before
        wrong = sum(row[0] < "r030" for row in before["receptions"]) + len(before["stores"])
        assert (done.mended, done.forgotten) == (wrong, 1)


async def test_a_read_model_that_is_right_is_left_alone(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path) as world:
        await world.tell(*told)
        feeds.hold(newest)
        before = await world.rows()
        done = await rebuilt(world, feeds)
        assert (done.mended, done.forgotten) == (0, 0)
        assert await world.rows() == before


async def test_events_that_arrive_during_a_rebuild_are_not_lost(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    later: list[Message] = [
        store_changed("s1", 50, display_name="Newest"),
        availability_changed("s1", 50, seats=50, largest=50),
        *[received(f"later{number}", line=(1000 + number, number)) for number in range(20)],
    ]
    async with sources() as feeds, dashboard(tmp_path) as world:
        await world.tell(*told, *later)
        after = await world.rows()
        await rebuilt(world, feeds)
        assert all(not rows for rows in (await world.rows()).values())
        feeds.hold(newest)

        async def live() -> None:
            for message in later:
                await world.tell(message)

        await asyncio.gather(rebuilt(world, feeds), live())
        # what was told before the sources were asked is in what they say when they are asked again
        feeds.hold(snapshots([*told, *later]))
        await asyncio.gather(rebuilt(world, feeds), live())
        assert await world.rows() == after


async def test_an_event_that_a_wrong_row_hid_during_the_rebuild_is_not_lost(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path) as world:
        await world.tell(*told)
        await spoil(world)
        feeds.hold(newest)

        def happens(_: Rebuilt) -> None:
            # its event comes now, and is ignored: the wrong row claims to be newer
            feeds.hold(snapshots([*told, store_changed("s1", 4, display_name="Newest")]))

        await rebuild(world.service.frame.database, feeds.targets, KEYS, happens)
        assert [row[2] for row in (await world.rows())["stores"]] == ["Newest", "s2 v3", "s3 v3"]


@pytest.mark.every_database
async def test_whoever_looks_during_a_rebuild_never_misses_what_was_there(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path) as world:
        await world.tell(*told)
        feeds.hold(newest)
        before = {name: {row[0] for row in rows} for name, rows in (await world.rows()).items()}
        await world.service.frame.lane.run(
            lambda uow: uow.connection.execute(update(stores).values(version=999)).rowcount
        )
        rebuilding = asyncio.create_task(rebuilt(world, feeds))
        looked = 0
        while not rebuilding.done():
            seen = await world.rows()
            assert {name: {row[0] for row in rows} for name, rows in seen.items()} == before
            looked += 1
            await asyncio.sleep(0)
        await rebuilding
        assert looked > 10


async def test_a_rebuild_that_died_in_the_middle_left_nothing_worse_and_can_be_run_again(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path) as world:
        await world.tell(*told)
        feeds.hold(newest)
        before = await world.rows()
        await spoil(world)
        spoilt = await world.rows()

        def die(done: Rebuilt) -> None:
            if done.told > 30:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await rebuild(world.service.frame.database, feeds.targets, KEYS, die)
        for name, rows in (await world.rows()).items():
            assert all(row in before[name] or row in spoilt[name] for row in rows)
            assert {row[0] for row in rows} >= {row[0] for row in spoilt[name]}
        await rebuilt(world, feeds)
        assert await world.rows() == before


async def test_nothing_is_taken_away_while_a_source_is_away(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path) as world:
        feeds.hold(newest)
        feeds.feeds["reception"].newest = []
        feeds.feeds["reception"].breaks = True
        await world.tell(*told)
        before = await world.rows()
        with pytest.raises(FeedUnavailable, match="reception"):
            await rebuilt(world, feeds)
        assert await world.rows() == before


async def run_the_command(database: Path, targets: Mapping[str, str]) -> tuple[int | None, str]:
    """`scripts/ops rebuild dashboard` in a process of its own: its exit code and what it said."""
    environment = ENVIRONMENT | {"TABLING_DATABASE": str(database), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {f"TABLING_{source.upper()}_TARGET": target for source, target in targets.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.operations", "rebuild", "dashboard", env=environment, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_the_command_rebuilds_beside_the_running_service(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path) as world:
        await world.tell(*told)
        feeds.hold(newest)
        before = await world.rows()
        await spoil(world)
        code, said = await run_the_command(tmp_path / "dashboard.db", feeds.targets)
        assert (code, "put right" in said) == (0, True), said
        assert await world.rows() == before


async def test_the_command_tells_which_source_is_away(tmp_path: Path) -> None:
    async with sources() as feeds, dashboard(tmp_path):
        feeds.feeds["management"].breaks = True
        code, said = await run_the_command(tmp_path / "dashboard.db", feeds.targets)
    assert code == 1
    assert "the feed of management answers UNAVAILABLE" in said


async def test_the_migrated_database_is_the_one_the_code_means(tmp_path: Path) -> None:
    async with dashboard(tmp_path) as world:
        differences = await world.service.frame.database.read(
            lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
        )
        assert differences == []
