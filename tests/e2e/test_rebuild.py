"""The read side of a running system, thrown away and made again from the other services."""

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.dashboard.adapters.tables import READ_MODEL
from tabling.management.v1 import management_service_pb2 as staff
from tests.e2e.story_kit import Json, Story, new_phone, new_store, story_of
from tests.e2e.system import ROOT, System, running_system
from tests.entitled import ENVIRONMENT

pytestmark = pytest.mark.e2e


async def some_business(story: Story) -> str:
    """A store at which parties wait, were called, sit, left, gave up and did not come."""
    store = await new_store(story, 2, 4)
    seated = await story.join(store, wait="2s")
    missing = await story.join(store, 4, wait="2s")
    joined = [await story.join(store, 2, phone=new_phone()) for _ in range(5)]
    await story.at_rest()
    await story.staff.SeatOrder(staff.SeatOrderRequest(name=order_of(seated)))
    await story.staff.MarkOrderNoShow(staff.MarkOrderNoShowRequest(name=order_of(missing)))
    await story.post(f"{joined[3]['name']}:cancel")
    await story.post(f"{joined[2]['name']}:postpone", parties=1)
    await story.at_rest()
    await story.staff.CompleteOrder(staff.CompleteOrderRequest(name=order_of(seated)))
    await story.at_rest()
    return store


def order_of(reception: Json) -> str:
    return str(reception["name"]).replace("/receptions/", "/orders/")


async def shown(story: Story, store: str) -> list[Json]:
    """All that the dashboard shows."""
    day = (await story.get(f"{store}/receptions"))["receptions"][0]["businessDay"]
    paths = ("storeViews:search", f"{store}/view", f"{store}/board", f"{store}/figures/{day}")
    return [await story.get(path) for path in paths]


def rows(data: Path) -> dict[str, list[Any]]:
    """The read model's rows. Versions may be ahead after a rebuild: owners also count changes they do not announce."""
    with closing(sqlite3.connect(f"file:{data / 'dashboard.db'}?mode=ro", uri=True)) as connection:
        found = {}
        for table in READ_MODEL:
            columns = ", ".join(column.name for column in table.columns if column.name != "version")
            statement = f"SELECT {columns} FROM {table.name} ORDER BY id"  # noqa: S608 - names of our own
            found[table.name] = connection.execute(statement).fetchall()
        return found


async def rebuild(system: System) -> str:
    """Run the command beside the running system, which it knows by its folder; gives what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    environment["PYTHONPATH"] = f"{ROOT}:{ROOT / 'gen'}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.operations", "rebuild", "dashboard", "--data", system.data, cwd=ROOT,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed
    return printed.decode()


async def test_a_rebuilt_read_model_equals_the_old_one(tmp_path: Path) -> None:
    async with running_system(tmp_path / "data") as system, story_of(system) as story:
        store = await some_business(story)
        before, rows_before = await shown(story, store), rows(system.data)
        assert "put right" in await rebuild(system)
        await story.at_rest()
        assert rows(system.data) == rows_before
        assert await shown(story, store) == before
        await story.join(store, 2)
        await story.at_rest()
        assert (await story.get(f"{store}/view"))["partiesWaiting"] == before[1]["partiesWaiting"] + 1
