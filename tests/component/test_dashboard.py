"""The dashboard as its callers see it: views, boards, figures and following a store."""

import random
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2

from tabling.dashboard.v1.dashboard_service_pb2 import (
    GetDayFiguresRequest,
    GetStoreBoardRequest,
    GetStoreViewRequest,
    SearchStoresRequest,
    SearchStoresResponse,
    WatchStoreRequest,
    WatchStoreResponse,
)
from tabling.dashboard.v1.store_view_pb2 import DayFigures, StoreBoard, StoreView
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import LatLng, Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1.table_pb2 import Table
from tests.component.dashboard_kit import (
    DAY,
    World,
    a_busy_evening,
    at,
    availability_changed,
    dashboard,
    ordered,
    received,
    store_changed,
    table_changed,
)

pytestmark = pytest.mark.every_database


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with dashboard(tmp_path) as world:
        yield world


async def view(world: World, store: str = "s1") -> StoreView:
    return await world.stub.GetStoreView(GetStoreViewRequest(name=f"stores/{store}/view"))


async def board(world: World, store: str = "s1") -> StoreBoard:
    return await world.stub.GetStoreBoard(GetStoreBoardRequest(name=f"stores/{store}/board"))


async def figures(world: World, day: str = DAY) -> DayFigures:
    return await world.stub.GetDayFigures(GetDayFiguresRequest(name=f"stores/s1/figures/{day}"))


async def search(world: World, **asked: Any) -> SearchStoresResponse:
    return await world.stub.SearchStores(SearchStoresRequest(**asked))


async def found(world: World, **asked: Any) -> list[str]:
    return [store.store.removeprefix("stores/") for store in (await search(world, **asked)).store_views]


def refused_fields(error: grpc.aio.AioRpcError) -> list[str]:
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    for detail in status.details:
        request = error_details_pb2.BadRequest()
        if detail.Unpack(request):
            return [violation.field for violation in request.field_violations]
    return []


# views


async def test_a_view_tells_what_all_three_services_said(world: World) -> None:
    await world.tell(
        store_changed(
            category="korean", address="1 Sejong-daero", location=(37.5, 127.0), opening=[(1, "11:00", "22:00")]
        ),
        availability_changed(seats=6, largest=4),
        received("r1", line=(1, 3)),
    )
    seen = await view(world)
    assert (seen.name, seen.store, seen.display_name) == ("stores/s1/view", "stores/s1", "Gimbap Heaven")
    assert (seen.category, seen.address, seen.state) == ("korean", "1 Sejong-daero", Store.OPEN)
    assert seen.location == LatLng(latitude=37.5, longitude=127.0)
    assert (seen.seats_remaining, seen.largest_free_capacity, seen.parties_waiting) == (6, 4, 3)
    assert (seen.min_party_size, seen.max_party_size) == (1, 8)
    assert [(hours.weekday, hours.open, hours.close) for hours in seen.opening_hours] == [(1, "11:00", "22:00")]


async def test_what_is_told_before_the_store_is_shown_once_the_store_is_known(world: World) -> None:
    await world.tell(availability_changed(seats=2, largest=2), received("r1", line=(1, 5)), table_changed())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await view(world)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    await world.tell(store_changed())
    seen = await view(world)
    assert (seen.seats_remaining, seen.parties_waiting) == (2, 5)
    assert len((await board(world)).entries) == 1


async def test_an_older_snapshot_changes_nothing(world: World) -> None:
    await world.tell(store_changed(version=2, display_name="New"), availability_changed(version=2, seats=1, largest=1))
    await world.tell(received("r1", Reception.CALLED, 2, line=(2, 0)))
    before = await world.rows()
    await world.tell(store_changed(version=1, display_name="Old"), availability_changed(version=1, seats=9, largest=9))
    await world.tell(received("r1", Reception.WAITING, 1, line=(1, 1)))
    assert await world.rows() == before


async def test_a_party_that_joins_while_no_table_is_free_waits_a_pace_for_each_party_and_itself(world: World) -> None:
    await world.tell(store_changed(), received("r1", line=(1, 2), pace_seconds=240))
    assert (await view(world)).estimated_wait.seconds == 3 * 240


async def test_there_is_no_wait_while_a_table_is_free_and_nobody_waits(world: World) -> None:
    await world.tell(store_changed(), availability_changed(seats=4, largest=4))
    assert not (await view(world)).HasField("estimated_wait")


async def test_a_view_is_as_new_as_its_newest_part(world: World) -> None:
    await world.tell(store_changed(minutes=1))
    assert (await view(world)).update_time == at(1)
    await world.tell(received("r1", Reception.CALLED, 2, called=7))
    assert (await view(world)).update_time == at(7)


async def test_names_of_no_view_are_not_found(world: World) -> None:
    for name in ("stores/none/view", "stores/S1/view", "stores/s1", "stores//view", "../view", "stores/%00/view"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.stub.GetStoreView(GetStoreViewRequest(name=name))
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND, name


async def test_a_missing_name_is_named(world: World) -> None:
    calls: list[Awaitable[object]] = [
        world.stub.GetStoreView(GetStoreViewRequest()),
        world.stub.GetStoreBoard(GetStoreBoardRequest()),
        world.stub.GetDayFigures(GetDayFiguresRequest()),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert refused_fields(refused.value) == ["name"]


# boards


async def test_a_board_shows_the_called_then_the_line_in_order_then_the_seated(world: World) -> None:
    await world.tell(
        store_changed(),
        received("seated", Reception.SEATED, seated=5, order_key=1),
        received("second", order_key=30),
        received("first", order_key=20),
        received("promised", Reception.REQUESTED, order_key=25),
        received("called", Reception.CALLED, called=4, order_key=2),
        received("gone", Reception.CANCELED, closed=4, order_key=3),
    )
    seen = [entry.reception.rsplit("/", 1)[1] for entry in (await board(world)).entries]
    assert seen == ["called", "first", "promised", "second", "seated"]


async def test_a_board_counts_the_waiting_parties_ahead(world: World) -> None:
    await world.tell(
        store_changed(),
        received("a", order_key=1),
        received("b", Reception.REQUESTED, order_key=2),
        received("c", order_key=3),
        received("d", Reception.CALLED, order_key=0, called=1),
    )
    ahead = {e.reception.rsplit("/", 1)[1]: e.parties_ahead for e in (await board(world)).entries}
    assert ahead == {"a": 0, "b": 0, "c": 1, "d": 0}


async def test_an_entry_tells_what_staff_need(world: World) -> None:
    table = "stores/s1/tables/t1"
    await world.tell(
        store_changed(),
        received(
            "r1",
            Reception.CALLED,
            joined=1,
            called=2,
            waiting_number=7,
            party_size=3,
            table=table,
            hold_expire_time=at(9),
            postpone_count=1,
            channel=Reception.WALK_IN,
        ),
    )
    (entry,) = (await board(world)).entries
    assert (entry.reception, entry.order) == ("stores/s1/receptions/r1", "stores/s1/orders/r1")
    assert (entry.state, entry.waiting_number, entry.party_size) == (Reception.CALLED, 7, 3)
    assert (entry.table, entry.channel, entry.postpone_count) == (table, Reception.WALK_IN, 1)
    assert (entry.create_time, entry.call_time, entry.hold_expire_time) == (at(1), at(2), at(9))


async def test_an_order_on_its_way_is_unspecified_and_then_told(world: World) -> None:
    await world.tell(store_changed(), received("r1"))
    assert (await board(world)).entries[0].order_state == Order.STATE_UNSPECIFIED
    await world.tell(ordered("r1", Order.ACCEPTED))
    assert (await board(world)).entries[0].order_state == Order.ACCEPTED


async def test_where_staff_must_accept_an_order_is_received_until_they_do(world: World) -> None:
    await world.tell(store_changed(accept_mode=Store.MANUAL), received("r1"))
    assert (await board(world)).entries[0].order_state == Order.RECEIVED


async def test_a_board_shows_the_tables_by_id(world: World) -> None:
    await world.tell(
        store_changed(),
        table_changed(table="t2", capacity=4, version=3, state=Table.BLOCKED, blocked=True, section="Terrace"),
        table_changed(
            table="t1", capacity=2, state=Table.HELD, reception="stores/s1/receptions/r1", hold_expire_time=at(5)
        ),
        table_changed(store="s2", table="t0"),
    )
    first, second = (await board(world)).tables
    assert (first.name, first.capacity, first.state) == ("stores/s1/tables/t1", 2, Table.HELD)
    assert (first.reception, first.hold_expire_time) == ("stores/s1/receptions/r1", at(5))
    assert (second.name, second.section, second.blocked, second.etag) == ("stores/s1/tables/t2", "Terrace", True, "3")


# figures


async def test_figures_count_what_became_of_the_parties_of_a_day(world: World) -> None:
    await world.tell(
        store_changed(),
        received("a", Reception.COMPLETED, joined=0, called=10, seated=12, closed=50),
        received("b", Reception.SEATED, joined=0, called=20, seated=70),
        received("c", Reception.CANCELED, joined=5, closed=6),
        received("d", Reception.REJECTED, joined=5, closed=6),
        received("e", Reception.NO_SHOW, joined=61, called=91, closed=96),
        received("f", joined=62),
        received("other", joined=1, business_day="2026-03-01"),
        received("elsewhere", joined=1, store="s2"),
    )
    told = await figures(world)
    assert told.name == f"stores/s1/figures/{DAY}"
    assert (told.joined, told.seated, told.canceled, told.no_shows) == (6, 2, 2, 1)
    assert told.mean_wait.seconds == 20 * 60
    assert told.p90_wait.seconds == 30 * 60
    hours = {hour.start_time.seconds: hour for hour in told.hours}
    assert len(hours) == 24
    assert told.hours[0].start_time.ToJsonString() == "2026-03-01T20:00:00Z"  # five in the morning in Seoul
    noon, one = hours[at(0).seconds], hours[at(60).seconds]
    assert (noon.joined, noon.seated, noon.no_shows, noon.mean_wait.seconds) == (4, 1, 0, 15 * 60)
    assert (one.joined, one.seated, one.no_shows, one.mean_wait.seconds) == (2, 1, 1, 30 * 60)


async def test_a_party_seated_without_a_call_waited_until_then(world: World) -> None:
    await world.tell(store_changed(), received("a", Reception.SEATED, joined=0, seated=3))
    assert (await figures(world)).mean_wait.seconds == 180


async def test_a_day_on_which_nothing_happened_has_hours_and_no_waits(world: World) -> None:
    await world.tell(store_changed())
    told = await figures(world, "2020-02-29")
    assert (told.joined, len(told.hours)) == (0, 24)
    assert not told.HasField("mean_wait")
    assert not told.HasField("p90_wait")


async def test_days_that_are_none_are_not_found(world: World) -> None:
    await world.tell(store_changed())
    for day in ("today", "2026-02-30", "20260302", "2026-w10-1", "0001-01-01", "9999-12-31"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await figures(world, day)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND, day


# search


async def test_text_is_found_in_name_category_and_address_whatever_its_width_and_case(world: World) -> None:
    await world.tell(
        store_changed("s1", display_name="ＧＩＭＢＡＰ Heaven"),
        store_changed("s2", display_name="b", category="gimbap"),
        store_changed("s3", display_name="c", address="Gimbap-ro 1"),
        store_changed("s4", display_name="서울 국밥"),
    )
    assert await found(world, text="gimbap") == ["s2", "s3", "s1"]
    assert await found(world, text="heaven Gimbap") == ["s1"]
    assert await found(world, text="\u1109\u1165\u110b\u116e\u11af") == ["s4"]  # the same letters, decomposed
    assert len(await found(world)) == 4


async def test_marks_that_mean_something_to_a_database_are_text(world: World) -> None:
    await world.tell(store_changed("s1", display_name="100% Beef_'; DROP"), store_changed("s2", display_name="plain"))
    assert await found(world, text="%") == ["s1"]
    assert await found(world, text="f_'; drop") == ["s1"]
    assert await found(world, text="\\") == []


async def test_a_category_is_matched_whole(world: World) -> None:
    await world.tell(store_changed("s1", category="Korean"), store_changed("s2", category="korean bbq"))
    assert await found(world, category="korean") == ["s1"]


async def test_distances_are_measured_and_the_nearest_comes_first(world: World) -> None:
    await world.tell(
        store_changed("far", location=(35.1796, 129.0756)),
        store_changed("near", location=(37.5665, 126.9780)),
        store_changed("nowhere"),
    )
    seoul = LatLng(latitude=37.5665, longitude=126.9780)
    stores = (await search(world, near=seoul)).store_views
    assert [store.store for store in stores] == ["stores/near", "stores/far", "stores/nowhere"]
    assert stores[0].distance_meters == 0
    assert stores[1].distance_meters == pytest.approx(325_000, rel=0.01)
    assert await found(world, near=seoul, radius_meters=300_000) == ["near"]
    assert await found(world, near=seoul, radius_meters=2**31 - 1) == ["near", "far"]


async def test_open_now_means_open_and_within_its_hours(world: World) -> None:
    await world.tell(
        store_changed("open"),
        store_changed("within", opening=[(1, "11:00", "13:00")]),
        store_changed("night", opening=[(7, "20:00", "12:30")]),
        store_changed("later", opening=[(1, "17:00", "22:00")]),
        store_changed("abroad", opening=[(1, "11:00", "13:00")], time_zone="Europe/Paris"),
        store_changed("paused", state=Store.PAUSED),
        store_changed("closed", state=Store.CLOSED),
    )
    assert sorted(await found(world, open_now=True)) == ["night", "open", "within"]


async def test_only_stores_with_a_table_for_the_party_are_found(world: World) -> None:
    await world.tell(
        store_changed("s1"),
        availability_changed("s1", seats=8, largest=2),
        store_changed("s2"),
        availability_changed("s2", seats=4, largest=4),
        store_changed("s3"),
    )
    assert await found(world, party_size=3) == ["s2"]


async def test_stores_are_sorted_by_wait_and_by_seats(world: World) -> None:
    await world.tell(
        store_changed("busy", display_name="1"),
        received("r1", store="busy", line=(1, 4)),
        store_changed("free", display_name="2"),
        availability_changed("free", seats=3, largest=3),
        store_changed("calm", display_name="3"),
        received("r2", store="calm", line=(1, 1)),
        store_changed("closed", display_name="4", state=Store.CLOSED),
        availability_changed("closed", seats=9, largest=9),
    )
    assert await found(world, sort=SearchStoresRequest.WAIT) == ["free", "calm", "busy", "closed"]
    assert await found(world, sort=SearchStoresRequest.SEATS) == ["closed", "free", "busy", "calm"]


@pytest.mark.parametrize("sort", SearchStoresRequest.Sort.values())
async def test_pages_put_together_are_the_whole_list(world: World, sort: SearchStoresRequest.Sort.ValueType) -> None:
    chance = random.Random(3)
    for number in range(23):
        where = (37 + chance.randrange(3) / 10, 127.0) if number % 3 else None
        await world.tell(store_changed(f"s{number}", display_name=f"n{number % 5}", location=where))
        await world.tell(availability_changed(f"s{number}", seats=number % 4, largest=1))
    asked = {"sort": sort, "near": LatLng(latitude=37, longitude=127)}
    pages, token = [], ""
    while True:
        page = await search(world, **asked, page_size=5, page_token=token)
        pages.append([store.store for store in page.store_views])
        token = page.next_page_token
        if not token:
            break
    whole = [store.store for store in (await search(world, **asked)).store_views]
    assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
    assert [store for page in pages for store in page] == whole


async def test_a_token_continues_only_its_own_list(world: World) -> None:
    await world.tell(*[store_changed(f"s{number}") for number in range(3)])
    token = (await search(world, page_size=1)).next_page_token
    for asked in ({"text": "gimbap"}, {"sort": SearchStoresRequest.SEATS}, {"open_now": True}):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await search(world, page_size=1, page_token=token, **asked)
        assert refused_fields(refused.value) == ["page_token"]


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("text", {"text": "x" * 81}),
        ("text", {"text": "   "}),
        ("text", {"text": "a\0b"}),
        ("text", {"text": "a\u202eb"}),
        ("category", {"category": "x" * 41}),
        ("near.latitude", {"near": LatLng(latitude=91)}),
        ("near.latitude", {"near": LatLng(latitude=float("nan"))}),
        ("near.longitude", {"near": LatLng(longitude=float("inf"))}),
        ("near.longitude", {"near": LatLng(longitude=-181)}),
        ("near", {"radius_meters": 5}),
        ("near", {"sort": SearchStoresRequest.DISTANCE}),
        ("radius_meters", {"radius_meters": -1, "near": LatLng()}),
        ("party_size", {"party_size": -1}),
        ("party_size", {"party_size": 10**9}),
        ("sort", {"sort": 99}),
        ("page_size", {"page_size": -1}),
        ("page_token", {"page_token": "AAAA"}),
        ("page_token", {"page_token": "not a token"}),
        ("page_token", {"page_token": "x" * 5000}),
    ],
)
async def test_a_mistake_of_the_caller_names_the_field(world: World, field: str, asked: dict[str, object]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await search(world, **asked)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused_fields(refused.value) == [field]


async def test_a_page_is_never_larger_than_the_most(world: World) -> None:
    await world.tell(*[store_changed(f"s{number}") for number in range(510)])
    assert len(await found(world)) == 50
    assert len(await found(world, page_size=10**6)) == 500


# following a store


def follow(world: World, name: str = "stores/s1/view") -> Any:
    return world.stub.WatchStore(WatchStoreRequest(name=name))


async def step(watch: Any) -> WatchStoreResponse:
    read = await watch.read()
    assert isinstance(read, WatchStoreResponse)
    return read


async def test_a_watcher_sees_the_whole_view_and_then_every_change(world: World) -> None:
    await world.tell(store_changed())
    watch = follow(world)
    first = await step(watch)
    assert first.store_view == await view(world)
    await world.tell(received("r1", line=(1, 1)))
    assert (await step(watch)).store_view.parties_waiting == 1
    await world.tell(availability_changed(seats=4, largest=4))
    assert (await step(watch)).store_view.seats_remaining == 4
    watch.cancel()


async def test_a_watcher_misses_no_last_change_of_a_burst(world: World) -> None:
    await world.tell(store_changed())
    watch = follow(world)
    await step(watch)
    for version in range(1, 101):
        await world.tell(received(f"r{version}", line=(version, version)))
    seen = 0
    while (await step(watch)).store_view.parties_waiting != 100:
        seen += 1
    assert seen < 100
    watch.cancel()


async def test_a_watcher_of_one_store_is_not_told_of_another(tmp_path: Path) -> None:
    async with dashboard(tmp_path, heartbeat_seconds=0.05) as world:
        await world.tell(store_changed("s1"), store_changed("s2"))
        watch = follow(world)
        await step(watch)
        await world.tell(received("r1", store="s2", line=(1, 1)))
        seen = await step(watch)
        assert seen.heartbeat
        assert not seen.HasField("store_view")
        watch.cancel()


async def test_nobody_can_watch_a_store_that_is_not_there(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await step(follow(world, "stores/none/view"))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


# events


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_events_ends_in_the_same_read_model(tmp_path: Path, seed: int) -> None:
    told, _ = a_busy_evening()
    shuffled = [*told, *random.Random(seed).sample(told, 50)]
    random.Random(seed).shuffle(shuffled)
    (tmp_path / "shuffled").mkdir()
    async with dashboard(tmp_path) as one, dashboard(tmp_path / "shuffled") as other:
        await one.tell(*told)
        for start in range(0, len(shuffled), 20):
            await other.tell(*shuffled[start : start + 20])
        assert await other.rows() == await one.rows()


async def test_every_event_that_reception_management_and_seat_tell_of_is_listened_to(world: World) -> None:
    receptions = ("added", "numbered", "postponed", "neared", "called", "seated", "canceled", "closed", "restored")
    orders = ("registered", "accepted", "called", "seated", "completed", "canceled", "restored")
    await world.tell(store_changed())
    for version, fact in enumerate(receptions, 1):
        await world.tell(received("r1", version=version, fact=fact, waiting_number=version))
        assert (await board(world)).entries[0].waiting_number == version
    for version, fact in enumerate(orders, 1):
        state = Order.ACCEPTED if version % 2 else Order.RECEIVED
        await world.tell(ordered("r1", state, version, fact=fact))
        assert (await board(world)).entries[0].order_state == state
