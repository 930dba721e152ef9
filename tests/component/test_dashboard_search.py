"""The order of found stores: on every database the one that plain Python tells."""

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.chassis.messages import Message
from services.chassis.paging import page_token
from services.dashboard.application.estimates import DEFAULT_PACE_SECONDS
from services.dashboard.application.opening import Span, dump, load
from services.dashboard.application.search import Point
from services.dashboard.entrypoints import fields
from tabling.dashboard.v1.dashboard_service_pb2 import SearchStoresRequest, SearchStoresResponse
from tabling.management.v1.store_pb2 import LatLng, Store
from tests.component.dashboard_kit import NOON, World, availability_changed, dashboard, received, store_changed
from tests.plain_search import Shop, plain_search

pytestmark = pytest.mark.every_database

SORTS = [SearchStoresRequest.NAME, SearchStoresRequest.WAIT, SearchStoresRequest.SEATS, SearchStoresRequest.DISTANCE]
SEOUL = Point(37.5665, 126.978)
SAME_BEGIN = "국" * 260
NAMES = [
    "gimbap",
    "gimbap heaven",
    "국밥",
    "국밥집",
    "100% beef_",
    "é",
    "\ufffd",
    "\U0001f35c",
    SAME_BEGIN + "b",
    SAME_BEGIN + "a",
]
HOURS = [(), ((1, "11:00", "13:00"),), ((1, "17:00", "22:00"),), ((7, "20:00", "12:30"), (3, "00:00", "00:00"))]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with dashboard(tmp_path) as world:
        yield world


async def search(world: World, request: SearchStoresRequest) -> SearchStoresResponse:
    return await world.stub.SearchStores(request)


async def pages(world: World, request: SearchStoresRequest) -> list[tuple[str, int]]:
    """Ids and distances on all pages."""
    found: list[tuple[str, int]] = []
    request = SearchStoresRequest.FromString(request.SerializeToString())
    while True:
        page = await search(world, request)
        assert len(page.store_views) == request.page_size or not page.next_page_token
        found += [(view.store.removeprefix("stores/"), view.distance_meters) for view in page.store_views]
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


def a_place(chance: random.Random) -> Point | None:
    """Mostly around Seoul, some at the same place, some far away or nowhere."""
    around = Point(SEOUL.latitude + chance.gauss(0, 0.05), SEOUL.longitude + chance.gauss(0, 0.05))
    anywhere = Point(chance.uniform(-90, 90), chance.uniform(-180, 180))
    return chance.choice([around, around, around, SEOUL, anywhere, Point(90, 0), Point(-5, 180), None])


def shops(chance: random.Random, count: int) -> list[Shop]:
    return [
        Shop(
            f"s{number}",
            name=chance.choice(NAMES),
            category=chance.choice(["", "korean", "noodles"]),
            address=chance.choice(["", "1 gimbap-ro"]),
            at=a_place(chance),
            state=chance.choice(["OPEN", "OPEN", "OPEN", "PAUSED", "CLOSED"]),
            time_zone=chance.choice(["Asia/Seoul", "Europe/Paris"]),
            hours=dump(Span(*span) for span in chance.choice(HOURS)),
            **chance.choice([{}, {"seats": chance.randint(0, 9), "largest": chance.randint(0, 4)}]),
            **chance.choice([{}, {"waiting": chance.randint(0, 3), "pace": chance.choice([60, 300, 2**31 - 1])}]),
        )
        for number in range(count)
    ]


def told(shop: Shop) -> Iterator[Message]:
    """What the other services say of a store."""
    yield store_changed(
        shop.id,
        display_name=shop.name,
        category=shop.category,
        address=shop.address,
        location=shop.at,
        state=Store.State.Value(shop.state),
        time_zone=shop.time_zone,
        opening=[(span.weekday, span.open, span.close) for span in load(shop.hours)],
    )
    if shop.seats or shop.largest:
        yield availability_changed(shop.id, seats=shop.seats, largest=shop.largest)
    if shop.waiting or shop.pace != DEFAULT_PACE_SECONDS:
        yield received(f"r-{shop.id}", store=shop.id, line=(1, shop.waiting), pace_seconds=shop.pace)


def a_request(chance: random.Random, sort: SearchStoresRequest.Sort.ValueType) -> SearchStoresRequest:
    asked: dict[str, Any] = {}
    if sort == SearchStoresRequest.DISTANCE or chance.random() < 0.3:
        near = chance.choice([SEOUL, Point(37.5, 127.0), Point(-90, 0), Point(0, 0), Point(5, 0)])
        asked |= {"near": LatLng(latitude=near.latitude, longitude=near.longitude)}
        asked |= {"radius_meters": chance.choice([0, 1, 3000, 10_000, 2**31 - 1])}
    return SearchStoresRequest(
        sort=sort,
        text=chance.choice(["", "", "", "gimbap", "국밥", "%", "gimbap ro"]),
        category=chance.choice(["", "", "", "korean"]),
        open_now=chance.random() < 0.5,
        party_size=chance.choice([0, 0, 0, 2]),
        page_size=chance.choice([1, 7, 40, 500]),
        **asked,
    )


@pytest.mark.parametrize("sort", SORTS, ids=SearchStoresRequest.Sort.Name)
async def test_stores_are_found_in_the_order_that_plain_python_tells(
    world: World, sort: SearchStoresRequest.Sort.ValueType
) -> None:
    chance = random.Random(sort)
    there = shops(chance, 120)
    await world.tell(*(message for shop in there for message in told(shop)))
    sizes = set()
    for _ in range(25):
        request = a_request(chance, sort)
        expected = plain_search(fields.search(request), there, NOON)
        assert await pages(world, request) == expected, request
        sizes.add(len(expected))
    assert len(sizes) > 5


async def test_a_search_goes_on_until_the_page_is_full_when_many_stores_are_closed(world: World) -> None:
    later, open_ = [(1, "17:00", "22:00")], [(1, "11:00", "13:00")]
    await world.tell(*[store_changed(f"s{number:03}", opening=later) for number in range(200)])
    await world.tell(*[store_changed(f"t{number}", opening=open_) for number in range(3)])
    assert await pages(world, SearchStoresRequest(open_now=True, page_size=2)) == [("t0", 0), ("t1", 0), ("t2", 0)]


@pytest.mark.parametrize("near", [Point(0, 0), Point(1e-300, 5e-324), Point(90, 180), Point(-90, -180)])
async def test_places_that_hardly_differ_are_the_same_place(world: World, near: Point) -> None:
    for number, place in enumerate([Point(0, 0), Point(5e-324, -5e-324), Point(1e-160, 1e-200), Point(90, 0)]):
        await world.tell(store_changed(f"s{number}", location=place))
    for number, place in enumerate([Point(-90, 0), Point(-1e-9, 1e-9), Point(89.99999999999999, -180)]):
        await world.tell(store_changed(f"t{number}", location=place))
    request = SearchStoresRequest(near=LatLng(latitude=near.latitude, longitude=near.longitude), page_size=2)
    quarter, half = 10_007_557, 20_015_114
    at_the_equator = [("s0", 0), ("s1", 0), ("s2", 0), ("t1", 0)]
    poles = {"north": [("s3", 0), ("t2", 0)], "south": [("t0", 0)]}
    if near.latitude == 90:
        expected = [*poles["north"], *((id_, quarter) for id_, _ in at_the_equator), ("t0", half)]
    elif near.latitude == -90:
        expected = [*poles["south"], *((id_, quarter) for id_, _ in at_the_equator)]
        expected += [(id_, half) for id_, _ in poles["north"]]
    else:
        expected = [*at_the_equator, ("s3", quarter), ("t0", quarter), ("t2", quarter)]
    assert await pages(world, request) == expected


@pytest.mark.parametrize("sort", SORTS, ids=SearchStoresRequest.Sort.Name)
async def test_a_place_that_is_none_in_this_order_is_refused(
    world: World, sort: SearchStoresRequest.Sort.ValueType
) -> None:
    await world.tell(store_changed())
    request = SearchStoresRequest(sort=sort, near=LatLng())
    for position in (
        [],
        ["s1"],
        [None, None],
        ["a", 1],
        [1, "a", "b", "c"],
        [2**63, "s1"],
        [0, 2**63, "s1"],
        [0, -(2**70), "s1"],
        [0, True, "s1"],
        [0, 1.5, "s1"],
        [0, "s\0"],
        [0, 0, "s\0"],
        ["a\0", "s1"],
        ["a", ["s1"]],
    ):
        request.page_token = page_token(request, position)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await search(world, request)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, position


@pytest.mark.parametrize(
    ("sort", "position"),
    [
        (SearchStoresRequest.DISTANCE, [1, 2**63 - 1, "z"]),
        (SearchStoresRequest.DISTANCE, [-(2**63), 0, ""]),
        (SearchStoresRequest.WAIT, [2**40, 2**40, "z"]),
        (SearchStoresRequest.SEATS, [-(2**63), "z"]),
        (SearchStoresRequest.NAME, ["국" * 5000, "'; DROP TABLE stores; --"]),
    ],
)
async def test_a_page_may_begin_anywhere_in_the_order(
    world: World, sort: SearchStoresRequest.Sort.ValueType, position: list[Any]
) -> None:
    await world.tell(store_changed())
    request = SearchStoresRequest(sort=sort, near=LatLng())
    request.page_token = page_token(request, position)
    before_all = position[0] in (-(2**63), "")
    assert len((await search(world, request)).store_views) == int(before_all)
