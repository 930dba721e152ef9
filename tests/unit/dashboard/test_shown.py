"""What a store and its orders look like, rows kept, and views shared."""

import asyncio
from collections.abc import Mapping

import pytest
from sqlalchemy import Table

from services.chassis.testing import eventually
from services.dashboard.adapters import tables
from services.dashboard.application import model
from services.dashboard.application.board import order_state
from services.dashboard.application.estimates import estimated_wait_seconds
from services.dashboard.entrypoints.views import SharedViews
from tabling.dashboard.v1.store_view_pb2 import StoreView


@pytest.mark.parametrize(
    ("waiting", "free", "state", "expected"),
    [
        (0, 4, "OPEN", None),
        (0, 0, "OPEN", 300),
        (3, 0, "OPEN", 1200),
        (1, 2, "OPEN", 600),
        (3, 0, "CLOSED", None),
        (3, 0, "PAUSED", None),
    ],
)
def test_the_wait_of_a_party_that_joins_now(waiting: int, free: int, state: str, expected: int | None) -> None:
    wait = estimated_wait_seconds(parties_waiting=waiting, pace_seconds=300, largest_free_capacity=free, state=state)
    assert wait == expected


@pytest.mark.parametrize(
    ("reception", "accepted", "consent_needed", "expected"),
    [
        ("WAITING", None, False, None),
        ("WAITING", None, True, "RECEIVED"),
        ("WAITING", False, False, "RECEIVED"),
        ("REQUESTED", True, True, "ACCEPTED"),
        ("CALLED", True, False, "CALLED"),
        ("CALLED", None, True, "CALLED"),
        ("SEATED", True, False, "SEATED"),
    ],
)
def test_how_far_an_order_is(reception: str, accepted: bool | None, consent_needed: bool, expected: str | None) -> None:
    assert order_state(reception, accepted, consent_needed=consent_needed) == expected


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (model.StoreRow, tables.stores),
        (model.AvailabilityRow, tables.availabilities),
        (model.LineRow, tables.lines),
        (model.ReceptionRow, tables.receptions),
        (model.OrderRow, tables.orders),
        (model.TableRow, tables.tables),
    ],
)
def test_rows_are_written_by_position(row: type, table: Table) -> None:
    assert list(row._fields) == table.columns.keys()  # type: ignore[attr-defined]


class Reads:
    """Counts queries; each answers when it is let go on."""

    def __init__(self) -> None:
        self.asked: list[frozenset[str]] = []
        self.go = asyncio.Event()

    async def __call__(self, stores: frozenset[str]) -> Mapping[str, StoreView]:
        self.asked.append(stores)
        await self.go.wait()
        return {store: StoreView(name=store) for store in stores if store != "none"}


async def test_those_who_ask_at_the_same_moment_share_one_query() -> None:
    reads = Reads()
    reads.go.set()
    views = SharedViews(reads)
    got = await asyncio.gather(*(views.get(store) for store in ["a", "b", "a", "none"] * 100))
    assert [view and view.name for view in got[:4]] == ["a", "b", "a", None]
    assert len(reads.asked) == 1


async def test_who_asks_while_a_query_runs_gets_the_next_one() -> None:
    reads = Reads()
    views = SharedViews(reads)
    first = asyncio.create_task(views.get("a"))
    await eventually(lambda: reads.asked)
    later = [asyncio.create_task(views.get("a")) for _ in range(10)]
    await asyncio.sleep(0)  # each has asked by now
    reads.go.set()
    await asyncio.gather(first, *later)
    assert len(reads.asked) == 2


async def test_a_caller_that_goes_away_takes_nothing_from_the_others() -> None:
    reads = Reads()
    views = SharedViews(reads)
    leaving, staying = asyncio.create_task(views.get("a")), asyncio.create_task(views.get("a"))
    await eventually(lambda: reads.asked)
    leaving.cancel()
    reads.go.set()
    assert (await staying) is not None
