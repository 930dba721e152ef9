"""The read model made anew from its sources."""

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
from services.dashboard.rebuild import rebuild
from tests.component.dashboard_kit import (
    World,
    a_busy_evening,
    availability_changed,
    dashboard,
    received,
    sources,
    store_changed,
)


async def spoil(world: World) -> None:
    """Make the read model wrong in every way that only a rebuild mends: rows changed, missing, made up."""

    def work(uow: DashboardUnit) -> None:
        uow.connection.execute(update(stores).values(display_name="wrong", version=999))
        uow.connection.execute(receptions.delete().where(receptions.c.id < "r030"))
        row = uow.connection.execute(receptions.select().limit(1)).one()
        uow.receptions.put(ReceptionRow(*row)._replace(id="ghost"))

    await world.service.frame.lane.run(work)


async def test_a_rebuilt_read_model_equals_the_old_one_row_for_row(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path, feeds.targets) as world:
        await world.tell(*told)
        feeds.hold(newest)
        before = await world.rows()
        await spoil(world)
        assert await world.rows() != before
        assert await rebuild(world.service) > 0
        assert await world.rows() == before


async def test_events_that_arrive_during_a_rebuild_are_not_lost(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    later: list[Message] = [
        store_changed("s1", 50, display_name="Newest"),
        availability_changed("s1", 50, seats=50, largest=50),
        *[received(f"later{number}", line=(1000 + number, number)) for number in range(20)],
    ]
    async with sources() as feeds, dashboard(tmp_path, feeds.targets) as world:
        await world.tell(*told, *later)
        after = await world.rows()
        await rebuild(world.service)
        assert all(not rows for rows in (await world.rows()).values())
        feeds.hold(newest)

        async def live() -> None:
            for message in later:
                await world.tell(message)

        await asyncio.gather(rebuild(world.service), live())
        # what was told before the clearing is in what the sources say when they are asked again
        feeds.hold([*newest, *later])
        await asyncio.gather(rebuild(world.service), live())
        assert await world.rows() == after


async def test_nothing_is_cleared_while_a_source_is_away(tmp_path: Path) -> None:
    told, newest = a_busy_evening()
    async with sources() as feeds, dashboard(tmp_path, feeds.targets) as world:
        feeds.hold(newest)
        feeds.feeds["reception"].newest = []
        feeds.feeds["reception"].breaks = True
        await world.tell(*told)
        before = await world.rows()
        with pytest.raises(FeedUnavailable, match="reception"):
            await rebuild(world.service)
        assert await world.rows() == before


async def run_the_command(database: Path, targets: Mapping[str, str]) -> tuple[int | None, str]:
    """`python -m services.dashboard rebuild` in a process of its own: its exit code and what it said."""
    environment = {"TABLING_DATABASE": str(database), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {f"TABLING_{source.upper()}_TARGET": target for source, target in targets.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.dashboard", "rebuild", env=environment, stdout=PIPE, stderr=STDOUT
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
        assert (code, "rebuilt from" in said) == (0, True), said
        assert await world.rows() == before


async def test_the_command_tells_which_source_is_away(tmp_path: Path) -> None:
    async with sources() as feeds:
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
