"""Stores over gRPC: created, changed, opened, paused, closed."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from services.chassis.clock import ManualClock
from services.chassis.testing import eventually
from tabling.management.v1 import management_service_pb2 as pb
from tabling.management.v1.store_pb2 import LatLng, OpeningHours, Store
from tests.component.management_kit import NOON, House, at, management, refusal

SUSHI = "stores/sushi"


async def create(house: House, store_id: str = "sushi", request_id: str = "", **facts: Any) -> Store:
    store = Store(**{"display_name": "Sushi", **facts})
    request = pb.CreateStoreRequest(store=store, store_id=store_id, request_id=request_id)
    created: Store = await house.stub.CreateStore(request)
    return created


async def update(house: House, *paths: str, **facts: Any) -> Store:
    mask = FieldMask(paths=paths) if paths else None
    request = pb.UpdateStoreRequest(store=Store(name=SUSHI, **facts), update_mask=mask)
    updated: Store = await house.stub.UpdateStore(request)
    return updated


async def get(house: House, name: str = SUSHI) -> Store:
    store: Store = await house.stub.GetStore(pb.GetStoreRequest(name=name))
    return store


async def test_a_new_store_is_closed_and_has_the_defaults(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        store = await create(house)
        assert store == Store(
            name=SUSHI,
            display_name="Sushi",
            time_zone="Asia/Seoul",
            day_start_hour=5,
            min_party_size=1,
            max_party_size=8,
            max_waiting=100,
            call_timeout=Duration(seconds=300),
            accept_mode=Store.AUTOMATIC,
            seating_mode=Store.COMPATIBLE_FIFO,
            max_postpones=2,
            near_turn_parties=3,
            state=Store.CLOSED,
            create_time=at(NOON),
            update_time=at(NOON),
            version=1,
            etag="1",
        )
        assert await get(house) == store
        assert await eventually(house.stores_told) == [store]


async def test_a_store_keeps_all_that_it_says(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "display_name": "스시 🍣",
        "category": "japanese",
        "address": "1 Teheran-ro; DROP TABLE stores;--",
        "location": LatLng(latitude=37.5, longitude=127.0),
        "phone": "+82 2-123-4567",
        "time_zone": "Europe/Berlin",
        "day_start_hour": 0,
        "opening_hours": [OpeningHours(weekday=7, open="18:00", close="02:00")],
        "min_party_size": 2,
        "max_party_size": 12,
        "max_waiting": 7,
        "call_timeout": Duration(seconds=90, nanos=500_000_000),
        "accept_mode": Store.MANUAL,
        "seating_mode": Store.BY_HAND,
        "max_postpones": 0,
        "near_turn_parties": 0,
    }
    async with management(tmp_path) as house:
        await create(house, **wanted)
        store = await get(house)
        for field, value in wanted.items():
            assert getattr(store, field) == value, field
        assert store.HasField("day_start_hour")


async def test_a_store_without_an_id_gets_one(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        first, second = await create(house, ""), await create(house, "")
        assert first.name != second.name
        assert await get(house, first.name) == first


async def test_a_store_is_created_once(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await create(house)
        assert (await refusal(create(house))).code is StatusCode.ALREADY_EXISTS


async def test_the_same_request_brings_the_first_answer(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        request_id = str(uuid4())
        first = await create(house, "", request_id)
        assert await create(house, "", request_id) == first
        reused = await refusal(create(house, "", request_id, phone="02-123-4567"))
        assert (reused.code, reused.reason) == (StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.CreateStoreRequest(), "display_name"),
        (pb.CreateStoreRequest(store=Store(display_name="  ")), "display_name"),
        (pb.CreateStoreRequest(store=Store(display_name="S"), store_id="ab"), "store_id"),
        (pb.CreateStoreRequest(store=Store(display_name="S"), store_id="Sushi"), "store_id"),
        (pb.CreateStoreRequest(store=Store(display_name="S"), request_id="1"), "request_id"),
        (pb.CreateStoreRequest(store=Store(display_name="S", min_party_size=9)), "max_party_size"),
        (pb.CreateStoreRequest(store=Store(display_name="S", time_zone="Asia/Atlantis")), "time_zone"),
    ],
)
async def test_a_wrong_store_is_refused(tmp_path: Path, request_: pb.CreateStoreRequest, field: str) -> None:
    async with management(tmp_path) as house:
        refused = await refusal(house.stub.CreateStore(request_))
        assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, (field,))
        assert list((await house.stub.ListStores(pb.ListStoresRequest())).stores) == []


async def test_output_fields_and_the_name_in_a_new_store_are_passed_over(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        store = await create(house, name="stores/other", state=Store.OPEN, version=9)
        assert (store.name, store.state, store.version) == (SUSHI, Store.CLOSED, 1)


async def test_an_update_changes_the_masked_fields_only(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await create(house, category="japanese")
        store = await update(house, "max_waiting", max_waiting=5, category="korean")
        assert (store.max_waiting, store.category, store.version) == (5, "japanese", 2)
        await eventually(lambda: house.stores_told()[-1:] == [store])


async def test_an_update_without_a_mask_changes_what_is_set(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await create(house, category="japanese")
        store = await update(house, max_postpones=0)
        assert (store.max_postpones, store.category, store.display_name) == (0, "japanese", "Sushi")


async def test_a_masked_field_that_is_not_set_gets_its_default(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await create(house, max_waiting=5, location=LatLng(latitude=1, longitude=2))
        store = await update(house, "max_waiting", "location")
        assert (store.max_waiting, store.HasField("location")) == (100, False)


async def test_an_update_to_the_same_changes_nothing(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        created = await create(house)
        house.clock.advance(timedelta(hours=1))
        assert await update(house, display_name="Sushi") == created
        assert await update(house) == created


async def test_an_empty_mask_means_what_is_set(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await create(house)
        request = pb.UpdateStoreRequest(store=Store(name=SUSHI, max_waiting=5), update_mask=FieldMask())
        assert (await house.stub.UpdateStore(request)).max_waiting == 5


@pytest.mark.parametrize("path", ["nope", "state", "create_time", "reopen_time.seconds", "version"])
async def test_a_mask_of_what_cannot_be_changed_is_refused(tmp_path: Path, path: str) -> None:
    async with management(tmp_path) as house:
        await create(house)
        refused = await refusal(update(house, path, display_name="New"))
        assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, ("update_mask",))


async def test_an_update_that_does_not_fit_the_rest_is_refused(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        created = await create(house, min_party_size=4)
        refused = await refusal(update(house, "max_party_size", max_party_size=3))
        assert refused.fields == ("max_party_size",)
        assert await get(house) == created


async def test_an_update_of_what_was_changed_meanwhile_is_stale(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await create(house)
        refused = await refusal(update(house, phone="02-123-4567", etag="7"))
        assert (refused.code, refused.reason) == (StatusCode.ABORTED, "STALE")
        assert (await update(house, phone="02-123-4567", etag="1")).version == 2


async def test_an_unknown_store_is_not_found(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        stub = house.stub
        for name in (SUSHI, "stores/", "stores/x/y", "Sushi", "stores/" + "x" * 10_000):
            for call in (
                stub.GetStore(pb.GetStoreRequest(name=name)),
                stub.UpdateStore(pb.UpdateStoreRequest(store=Store(name=name, phone="02-123-4567"))),
                stub.OpenStore(pb.OpenStoreRequest(name=name)),
                stub.PauseStore(pb.PauseStoreRequest(name=name)),
                stub.CloseStore(pb.CloseStoreRequest(name=name)),
            ):
                assert (await refusal(call)).code is StatusCode.NOT_FOUND


async def test_stores_come_in_pages(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        for number in range(5):
            await create(house, f"store-{number}")
        names: list[str] = []
        token = ""
        while True:
            request = pb.ListStoresRequest(page_size=2, page_token=token)
            page = await house.stub.ListStores(request)
            names.extend(store.name for store in page.stores)
            token = page.next_page_token
            if not token:
                break
        assert names == [f"stores/store-{number}" for number in range(5)]
        for request, field in (
            (pb.ListStoresRequest(page_size=-1), "page_size"),
            (pb.ListStoresRequest(page_token="forged"), "page_token"),
        ):
            assert (await refusal(house.stub.ListStores(request))).fields == (field,)


async def test_a_paused_store_opens_by_itself(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        reopen = NOON + timedelta(minutes=20)
        paused = await house.stub.PauseStore(pb.PauseStoreRequest(name=SUSHI, reopen_time=at(reopen)))
        assert (paused.state, paused.reopen_time) == (Store.PAUSED, at(reopen))
        house.clock.advance(timedelta(minutes=20))
        store = await eventually(lambda: next((s for s in house.stores_told() if s.version == 4), None))
        assert (store.state, store.HasField("reopen_time")) == (Store.OPEN, False)
        assert store == await get(house)


async def test_a_pause_outlives_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with management(tmp_path, clock=clock) as house:
        await house.open_store()
        reopen = at(NOON + timedelta(minutes=20))
        await house.stub.PauseStore(pb.PauseStoreRequest(name=SUSHI, reopen_time=reopen))
    clock.advance(timedelta(hours=1))
    async with management(tmp_path, clock=clock) as house:

        async def is_open() -> bool:
            return (await get(house)).state == Store.OPEN

        assert await eventually(is_open)


async def test_a_store_opened_by_hand_is_not_opened_again(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        reopen = at(NOON + timedelta(minutes=20))
        await house.stub.PauseStore(pb.PauseStoreRequest(name=SUSHI, reopen_time=reopen))
        await house.stub.OpenStore(pb.OpenStoreRequest(name=SUSHI))
        paused = await house.stub.PauseStore(pb.PauseStoreRequest(name=SUSHI))
        house.clock.advance(timedelta(hours=1))
        # a timer of another store that fires shows that the first had its chance
        await house.open_store("pizza")
        reopen = at(house.clock.now() + timedelta(minutes=1))
        await house.stub.PauseStore(pb.PauseStoreRequest(name="stores/pizza", reopen_time=reopen))
        house.clock.advance(timedelta(minutes=1))
        await eventually(lambda: any(s.name == "stores/pizza" and s.version == 4 for s in house.stores_told()))
        assert await get(house) == paused


async def test_a_pause_must_end_in_the_future(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        for moment in (at(NOON), Timestamp(seconds=-1), Timestamp(seconds=2**62), Timestamp(nanos=-1)):
            refused = await refusal(house.stub.PauseStore(pb.PauseStoreRequest(name=SUSHI, reopen_time=moment)))
            assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, ("reopen_time",))


async def test_a_closed_store_cannot_be_paused(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await create(house)
        refused = await refusal(house.stub.PauseStore(pb.PauseStoreRequest(name=SUSHI)))
        assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "STORE_CLOSED")


async def test_closing_tells_whether_everyone_goes_home(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        closed = await house.stub.CloseStore(pb.CloseStoreRequest(name=SUSHI))
        assert (closed.state, closed.HasField("sent_home_time")) == (Store.CLOSED, False)
        home = await house.stub.CloseStore(pb.CloseStoreRequest(name=SUSHI, send_everyone_home=True))
        assert home.sent_home_time == at(NOON)
        await eventually(lambda: house.stores_told()[-1:] == [home])


async def test_opening_an_open_store_changes_nothing(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        opened = await house.open_store()
        assert await house.stub.OpenStore(pb.OpenStoreRequest(name=SUSHI)) == opened
        stale = await refusal(house.stub.OpenStore(pb.OpenStoreRequest(name=SUSHI, etag="1")))
        assert stale.code is StatusCode.ABORTED
