"""Which followed lines are looked at when words of other processes get lost."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Set
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.chassis.kernel import StorageBusy
from services.chassis.signals import Signals
from services.chassis.testing import eventually
from services.reception.adapters.following import Following
from services.reception.adapters.line_view import LineView
from services.reception.adapters.refresh import Refresh

NEVER = 3600.0


class View(LineView):
    """Knows these two stores' lines."""

    @property
    def stores(self) -> Set[str]:
        return {"quiet", "busy"}


class Reading(Refresh):
    """Keeps what it was asked for. While `away`, the database is, too."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.away = False

    async def of(self, store_ids: Iterable[str]) -> None:
        self.asked.append(set(store_ids))
        if self.away:
            raise StorageBusy("away")


class Busy(Reading):
    """A store that changes again and again."""

    following: Following

    async def of(self, store_ids: Iterable[str]) -> None:
        await super().of(store_ids)
        self.following.heard({"busy"})


def following(reading: Reading, look_seconds: float = NEVER) -> Following:
    nobody: Any = None
    return Following(nobody, Signals(), View(), reading, look_seconds)


@asynccontextmanager
async def followed(following: Following) -> AsyncIterator[None]:
    """Somebody follows a reception of each store."""
    task = asyncio.create_task(following.serve())
    try:
        with following.follow("quiet", "a"), following.follow("busy", "b"):
            yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_quiet_store_is_looked_at_while_another_one_keeps_changing() -> None:
    reading = Busy()
    reading.following = following(reading, look_seconds=0.2)
    async with followed(reading.following):
        reading.following.heard({"busy"})
        for times in (1, 2):
            await eventually(lambda: sum("quiet" in asked for asked in reading.asked) >= times)  # noqa: B023
    assert {"busy"} in reading.asked


async def test_a_store_that_could_not_be_read_is_looked_at_again() -> None:
    reading = Reading()
    here = following(reading)
    async with followed(here):
        reading.away = True
        here.heard({"quiet"})
        await eventually(lambda: reading.asked == [{"quiet"}])
        reading.away = False
        here.heard({"busy"})
        await eventually(lambda: reading.asked[1:] == [{"quiet", "busy"}])
    assert not here.is_doubted("quiet")


async def test_whoever_asks_for_a_line_that_cannot_be_read_leaves_it_in_doubt() -> None:
    reading = Reading()
    here = following(reading)
    here.heard({"quiet"})
    reading.away = True
    with pytest.raises(StorageBusy):
        await here.bring_up({"quiet"})
    assert here.is_doubted("quiet")
    reading.away = False
    await here.bring_up({"quiet"})
    assert not here.is_doubted("quiet")
