"""Joining a line and leaving it again."""

import asyncio
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1 import reception_service_pb2 as rpc
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1.events_pb2 import Seating
from tests.component.reception_kit import Refused, reception, refusal

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def test_a_party_that_finds_no_table_gets_the_next_number(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        first, second = await house.join(), await house.join(3)
        assert (first.state, first.waiting_number, first.parties_ahead) == (Reception.WAITING, 1, 0)
        assert (second.state, second.waiting_number, second.parties_ahead) == (Reception.WAITING, 2, 1)
        assert second.estimated_wait == Duration(seconds=600)
        assert second.business_day == "2026-03-02"
        assert second.etag == "1"
        event = await house.told_of("added", second.name)
        assert event.reception.parties_ahead == 1
        assert event.reception.near_turn
        assert (event.line.parties_waiting, event.line.pace_seconds) == (2, 300)


async def test_a_party_is_promised_a_table_that_fits(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.fit = True
        joined = await house.join(4, section="Terrace")
        assert (joined.state, joined.waiting_number) == (Reception.REQUESTED, 0)
        assert not joined.HasField("estimated_wait")
        question = house.seats.calls[0][0]
        assert (question.store, question.party_size, question.section) == ("stores/sushi", 4, "Terrace")
        event = await house.told_of("added", joined.name)
        assert event.reception.promised
        assert event.line.parties_waiting == 0


async def test_a_call_shows_the_table(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        joined = await house.join()
        await house.called(joined.name)
        called = await house.get(joined.name)
        assert (called.state, called.table) == (Reception.CALLED, "stores/sushi/tables/t1")
        assert called.HasField("hold_expire_time")
        event = await house.told_of("called", joined.name)
        assert event.line.parties_waiting == 0


async def test_a_broken_promise_becomes_a_number(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.fit = True
        promised = await house.join()
        house.seats.fit = False
        behind = await house.join()
        await house.seating_is(promised.name, Seating.TAKEN)
        numbered = await house.get(promised.name)
        assert (numbered.state, numbered.waiting_number) == (Reception.WAITING, 2)
        # the place is that of the asking
        assert numbered.parties_ahead == 0
        assert (await house.get(behind.name)).parties_ahead == 1
        event = await house.told_of("numbered", promised.name)
        assert (event.line.parties_waiting, event.reception.parties_ahead) == (2, 0)


async def test_the_answer_waits_for_the_table(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.fit = True
        joining = asyncio.create_task(house.join(request={"wait": Duration(seconds=2)}))
        added = await house.first_added()
        await house.called(added)
        joined = await joining
        assert (joined.name, joined.state) == (added, Reception.CALLED)


async def test_the_answer_does_not_wait_longer_than_asked(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.fit = True
        joined = await house.join(request={"wait": Duration(nanos=50_000_000)})
        assert joined.state == Reception.REQUESTED


async def test_the_answer_comes_before_the_callers_deadline(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.fit = True
        request = rpc.CreateReceptionRequest(
            parent="stores/sushi", reception=Reception(party_size=2), wait=Duration(seconds=2)
        )
        joined = await house.stub.CreateReception(request, timeout=1.9)
        assert joined.state == Reception.REQUESTED


async def test_the_same_request_id_brings_the_same_reception(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        request = {"request_id": str(uuid4())}
        first = await house.join(request=request)
        assert await house.join(request=request) == first
        assert await refusal(house.join(5, request=request)) == Refused(INVALID, "REQUEST_ID_REUSED", (), {})


@pytest.mark.parametrize(("state", "reason"), [(Store.CLOSED, "STORE_CLOSED"), (Store.PAUSED, "LINE_PAUSED")])
async def test_nobody_joins_a_store_that_is_not_open(tmp_path: Path, state: Store.State.ValueType, reason: str) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(state=state)
        assert await refusal(house.join()) == Refused(PRECONDITION, reason, (), {})


async def test_nobody_joins_an_unknown_store(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        for store in ("sushi", "Sushi", "-", "a/b", "", "..", "x" * 64):
            assert (await refusal(house.join(store=store))).code == NOT_FOUND


async def test_a_full_line_takes_nobody(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_waiting=2)
        house.seats.fit = True
        await house.join()
        house.seats.fit = False
        last = await house.join()
        full = await refusal(house.join())
        assert (full.code, full.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LINE_FULL")
        await house.cancel(last.name)
        await house.join()


@pytest.mark.parametrize("size", [0, -1, 1, 9, 10**9])
async def test_a_party_has_to_be_of_the_stores_size(tmp_path: Path, size: int) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(min_party_size=2)
        assert await refusal(house.join(size)) == Refused(INVALID, "INVALID_FIELD", ("party_size",), {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phone", "abc"),
        ("phone", "010"),
        ("phone", "0" * 40),
        ("phone", "０１０１２３４５６７８"),
        ("phone", "+1 202 555 0123"),
        ("phone", "010-0000"),
        ("phone", "01012345678\n"),
        ("phone", "060-700-1234"),
        ("section", "a\x00b"),
        ("section", "   "),
        ("section", "\u202eabc"),
        ("section", "x" * 10_000),
        ("language_code", "fr"),
        ("customer", "anna"),
        ("customer", "customers/"),
        ("customer", "customers/An na"),
    ],
)
async def test_a_wrong_field_is_named(tmp_path: Path, name: str, value: str) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        assert await refusal(house.join(2, **{name: value})) == Refused(INVALID, "INVALID_FIELD", (name,), {})


async def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        nothing = rpc.CreateReceptionRequest(parent="stores/sushi")
        assert (await refusal(house.stub.CreateReception(nothing))).fields == ("reception",)
        for wait in (Duration(seconds=3), Duration(seconds=-1), Duration(seconds=1, nanos=-5)):
            assert (await refusal(house.join(request={"wait": wait}))).fields == ("wait",)
        assert (await refusal(house.join(request={"request_id": "7"}))).fields == ("request_id",)


async def test_a_phone_is_shown_masked_and_told_to_nobody(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        joined = await house.join(phone="010-1234-5678", language_code="en")
        assert joined.phone == "010-****-5678"
        assert (await house.get(joined.name)).phone == "010-****-5678"
        event = await house.told_of("added", joined.name)
        assert event.reception.has_contact
        assert event.reception.language_code == "en"
        assert b"12345678" not in event.SerializeToString()


async def test_a_customer_stands_in_a_line_once(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        for facts in ({"customer": "customers/anna"}, {"phone": "010-1234-5678"}):
            # a number is no proof of being its owner
            told = ["reception"] if "customer" in facts else []
            joined = await house.join(2, **facts)
            again = await refusal(house.join(2, **facts))
            assert (again.code, again.reason) == (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_IN_LINE")
            assert again.metadata == dict.fromkeys(told, joined.name)
            await house.cancel(joined.name)
            await house.join(2, **facts)


async def test_a_phone_is_one_customer_in_all_its_forms(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        await house.join(phone="010-1234-5678")
        for form in ("01012345678", "+82 10 1234 5678", "+82-10-1234-5678"):
            assert (await refusal(house.join(phone=form))).reason == "ALREADY_IN_LINE"


async def test_a_fourth_line_is_too_many(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        for store in ("a", "b", "c", "d"):
            await house.store_is(store)
        joined = [await house.join(store=store, customer="customers/anna") for store in ("a", "b", "c")]
        assert await refusal(house.join(store="d", customer="customers/anna")) == Refused(
            PRECONDITION, "TOO_MANY_LINES", (), {}
        )
        await house.cancel(joined[0].name)
        await house.join(store="d", customer="customers/anna")


async def test_many_join_at_once(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_waiting=60)
        joined = await asyncio.gather(*(house.join() for _ in range(60)))
        assert sorted(r.waiting_number for r in joined) == list(range(1, 61))
        assert all(r.parties_ahead == r.waiting_number - 1 for r in joined)
        # concurrent questions travel together
        assert len(house.seats.calls) < 30


async def test_one_customer_gets_one_place_from_many_joins_at_once(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        joins = (house.join(customer="customers/anna") for _ in range(20))
        results = await asyncio.gather(*joins, return_exceptions=True)
        assert sum(isinstance(result, Reception) for result in results) == 1


async def test_a_seat_service_that_hangs_costs_no_join(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.answering.clear()
        assert (await house.join()).waiting_number == 1


async def test_a_seat_service_that_is_away_costs_no_join(tmp_path: Path) -> None:
    async with reception(tmp_path, seat_target="127.0.0.1:1") as house:
        await house.store_is()
        for number in range(1, 12):
            assert (await house.join()).waiting_number == number


async def test_a_store_that_seats_by_hand_is_not_asked_for_tables(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(seating_mode=Store.BY_HAND)
        house.seats.fit = True
        assert (await house.join()).state == Reception.WAITING
        assert house.seats.calls == []


async def test_canceling_again_changes_nothing(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        joined = await house.join()
        canceled = await house.cancel(joined.name, etag=joined.etag)
        assert (canceled.state, canceled.close_reason) == (Reception.CANCELED, Reception.CUSTOMER_CANCELED)
        assert await house.cancel(joined.name) == canceled
        await house.told_of("canceled", joined.name)
        assert house.told(joined.name) == ["added", "canceled"]


async def test_a_stale_etag_is_refused(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        joined = await house.join()
        await house.join()
        stale = Refused(grpc.StatusCode.ABORTED, "STALE", (), {})
        assert await refusal(house.cancel(joined.name, etag="9")) == stale
        assert await refusal(house.postpone(joined.name, etag="9")) == stale


async def test_a_stranger_finds_nothing(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        await house.store_is("other")
        joined = await house.join()
        wrong = joined.name.replace("sushi", "other")
        for name in (wrong, "stores/sushi/receptions/nobody", "nonsense", f"{joined.name}/x", "stores/sushi"):
            assert (await refusal(house.get(name))).code == NOT_FOUND
            assert (await refusal(house.cancel(name))).code == NOT_FOUND
            assert (await refusal(house.postpone(name))).code == NOT_FOUND
            place = house.stub.GetPlace(rpc.GetPlaceRequest(name=f"{name}/place"))
            assert (await refusal(place)).code == NOT_FOUND
            watch = house.stub.WatchReception(rpc.WatchReceptionRequest(name=name))
            assert (await refusal(watch.read())).code == NOT_FOUND
