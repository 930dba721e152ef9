"""Orders over gRPC: what staff do with the parties in line."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from services.chassis.paging import page_token
from services.chassis.testing import eventually
from tabling.management.v1 import management_service_pb2 as pb
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1.table_pb2 import Table
from tests.component.management_kit import NOON, House, at, management, refusal

pytestmark = pytest.mark.every_database

WINDOW = "stores/sushi/tables/window"


async def get(house: House, name: str) -> Order:
    order: Order = await house.stub.GetOrder(pb.GetOrderRequest(name=name))
    return order


async def no_show(house: House, order_id: str) -> str:
    name = await house.join(order_id)
    await house.stub.CallOrder(pb.CallOrderRequest(name=name))
    await house.stub.MarkOrderNoShow(pb.MarkOrderNoShowRequest(name=name))
    return name


async def test_a_party_that_joins_becomes_an_accepted_order(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        name = await house.join("r1", party_size=3, waiting_number=12, section="Terrace")
        order = await get(house, name)
        assert order == Order(
            name=name,
            reception="stores/sushi/receptions/r1",
            state=Order.ACCEPTED,
            party_size=3,
            waiting_number=12,
            section="Terrace",
            create_time=at(NOON),
            version=1,
            etag="1",
        )
        assert await house.told_of("accepted", name) == order


async def test_an_order_that_needs_consent_is_told_once_it_has_it(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store(accept_mode=Store.MANUAL)
        name = await house.join("r1")
        assert (await get(house, name)).state == Order.RECEIVED
        accepted = await house.stub.AcceptOrder(pb.AcceptOrderRequest(name=name))
        assert accepted.state == Order.ACCEPTED
        assert await house.told_of("accepted", name) == accepted
        assert await house.stub.AcceptOrder(pb.AcceptOrderRequest(name=name)) == accepted
        assert len(house.orders_told("accepted")) == 1


async def test_a_party_comes_is_called_sits_and_leaves(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store(call_timeout=Duration(seconds=90))
        name = await house.join("r1")
        called = await house.stub.CallOrder(pb.CallOrderRequest(name=name))
        assert (called.state, called.hold_expire_time) == (Order.CALLED, at(NOON + timedelta(seconds=90)))
        assert await house.told_of("called", name) == called
        seated = await house.stub.SeatOrder(pb.SeatOrderRequest(name=name))
        assert (seated.state, seated.seat_time, seated.HasField("hold_expire_time")) == (Order.SEATED, at(NOON), False)
        assert await house.told_of("seated", name) == seated
        done = await house.stub.CompleteOrder(pb.CompleteOrderRequest(name=name))
        assert (done.state, done.close_time, done.version) == (Order.COMPLETED, at(NOON), 4)
        assert await house.told_of("completed", name) == done


async def test_a_declined_party_is_told_why(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store(accept_mode=Store.MANUAL)
        name = await house.join("r1")
        declined = await house.stub.DeclineOrder(pb.DeclineOrderRequest(name=name, reason="<b>만석</b>"))
        assert (declined.state, declined.reason) == (Order.DECLINED, "<b>만석</b>")
        assert await house.told_of("canceled", name) == declined


async def test_an_order_can_be_canceled_by_the_store(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        name = await house.join("r1")
        canceled = await house.stub.CancelOrder(pb.CancelOrderRequest(name=name, reason="sold out"))
        assert (canceled.state, canceled.reason) == (Order.CANCELED, "sold out")
        assert await house.told_of("canceled", name) == canceled
        assert await house.stub.CancelOrder(pb.CancelOrderRequest(name=name)) == canceled


async def test_a_no_show_can_be_brought_back(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        name = await no_show(house, "r1")
        assert (await house.told_of("canceled", name)).state == Order.NO_SHOW
        restored = await house.stub.RestoreOrder(pb.RestoreOrderRequest(name=name))
        assert (restored.state, restored.round, restored.HasField("call_time")) == (Order.ACCEPTED, 1, False)
        assert await house.told_of("restored", name) == restored


async def test_what_can_no_longer_be_done_is_refused_with_the_state(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        name = await house.join("r1")
        await house.stub.SeatOrder(pb.SeatOrderRequest(name=name))
        stub = house.stub
        for call in (
            stub.AcceptOrder(pb.AcceptOrderRequest(name=name)),
            stub.DeclineOrder(pb.DeclineOrderRequest(name=name)),
            stub.CallOrder(pb.CallOrderRequest(name=name)),
            stub.CancelOrder(pb.CancelOrderRequest(name=name)),
            stub.MarkOrderNoShow(pb.MarkOrderNoShowRequest(name=name)),
            stub.RestoreOrder(pb.RestoreOrderRequest(name=name)),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "ORDER_STATE_CONFLICT")
        assert (await get(house, name)).version == 2


async def test_the_first_in_line_is_called_next(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.join("late", order_key=30)
        await house.join("first", order_key=10)
        await house.join("second", order_key=20)
        await house.join("elsewhere", "pizza", order_key=1)
        request = pb.CallNextOrderRequest(parent="stores/sushi")
        names = [(await house.stub.CallNextOrder(request)).name.split("/")[-1] for _ in range(3)]
        assert names == ["first", "second", "late"]
        refused = await refusal(house.stub.CallNextOrder(request))
        assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "LINE_EMPTY")


async def test_a_party_whose_table_is_promised_is_not_called_next(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.reception_is("stores/sushi/receptions/r1", Reception.REQUESTED)
        refused = await refusal(house.stub.CallNextOrder(pb.CallNextOrderRequest(parent="stores/sushi")))
        assert refused.reason == "LINE_EMPTY"


async def test_two_who_call_next_at_once_call_two_parties(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        for number in range(10):
            await house.join(f"r{number}", order_key=number)
        request = pb.CallNextOrderRequest(parent="stores/sushi")
        called = await asyncio.gather(*(house.stub.CallNextOrder(request) for _ in range(10)))
        assert sorted(order.name for order in called) == [f"stores/sushi/orders/r{n}" for n in range(10)]


async def test_the_same_call_next_calls_nobody_else(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.join("r1", order_key=1)
        await house.join("r2", order_key=2)
        request = pb.CallNextOrderRequest(parent="stores/sushi", request_id=str(uuid4()))
        first = await house.stub.CallNextOrder(request)
        assert await house.stub.CallNextOrder(request) == first
        assert (await get(house, "stores/sushi/orders/r2")).state == Order.ACCEPTED


async def test_a_party_is_seated_at_a_chosen_table(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.table_is(WINDOW, capacity=2)
        name = await house.join("r1")
        seated = await house.stub.SeatOrder(pb.SeatOrderRequest(name=name, table=WINDOW))
        assert (seated.state, seated.table) == (Order.SEATED, WINDOW)
        assert await house.stub.SeatOrder(pb.SeatOrderRequest(name=name, table=WINDOW)) == seated
        other = await house.join("r2")
        refused = await refusal(house.stub.SeatOrder(pb.SeatOrderRequest(name=other, table=WINDOW)))
        assert (refused.code, refused.reason) == (StatusCode.ABORTED, "TABLE_TAKEN")


async def test_a_table_is_free_again_when_its_party_has_left(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.table_is(WINDOW, capacity=2)
        first, second = await house.join("r1"), await house.join("r2")
        await house.stub.SeatOrder(pb.SeatOrderRequest(name=first, table=WINDOW))
        await house.reception_is("stores/sushi/receptions/r1", Reception.CANCELED)
        seated = await house.stub.SeatOrder(pb.SeatOrderRequest(name=second, table=WINDOW))
        assert seated.table == WINDOW


async def test_of_two_parties_shown_to_one_table_at_once_one_sits(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.table_is(WINDOW)
        names = [await house.join(f"r{number}") for number in range(8)]
        calls = [house.stub.SeatOrder(pb.SeatOrderRequest(name=name, table=WINDOW)) for name in names]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(answer, Order) for answer in answers) == 1


@pytest.mark.parametrize(
    ("table", "facts", "code", "reason"),
    [
        (WINDOW, {"capacity": 1}, StatusCode.FAILED_PRECONDITION, "TABLE_TOO_SMALL"),
        (WINDOW, {"state": Table.HELD, "reception": "stores/sushi/receptions/x"}, StatusCode.ABORTED, "TABLE_TAKEN"),
        (WINDOW, {"state": Table.BLOCKED, "blocked": True}, StatusCode.ABORTED, "TABLE_TAKEN"),
        ("stores/sushi/tables/roof", {}, StatusCode.NOT_FOUND, "NOT_FOUND"),
        ("stores/pizza/tables/window", {}, StatusCode.NOT_FOUND, "NOT_FOUND"),
        ("the window", {}, StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
    ],
)
async def test_a_table_that_will_not_do_is_refused(
    tmp_path: Path, table: str, facts: dict[str, Any], code: StatusCode, reason: str
) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.table_is(WINDOW, **facts)
        await house.table_is("stores/pizza/tables/window")
        name = await house.join("r1")
        refused = await refusal(house.stub.SeatOrder(pb.SeatOrderRequest(name=name, table=table)))
        assert (refused.code, refused.reason) == (code, reason)
        assert (await get(house, name)).state == Order.ACCEPTED


async def test_a_party_at_the_door_is_registered(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        request = pb.RegisterWalkInRequest(parent="stores/sushi", party_size=100, section="Bar")
        order = await house.stub.RegisterWalkIn(request)
        assert (order.state, order.walk_in, order.party_size, order.section) == (Order.ACCEPTED, True, 100, "Bar")
        assert await house.told_of("registered", order.name) == order
        await house.reception_is(order.reception, Reception.WAITING, waiting_number=5)
        assert (await get(house, order.name)).waiting_number == 5
        assert house.orders_told("accepted") == []


async def test_a_party_at_the_door_can_wait_for_its_number(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        request = pb.RegisterWalkInRequest(parent="stores/sushi", party_size=2, wait=Duration(seconds=2))
        registering = asyncio.ensure_future(house.stub.RegisterWalkIn(request))
        registered = await eventually(lambda: house.orders_told("registered"))
        await house.reception_is(registered[0].reception, Reception.WAITING, waiting_number=5)
        assert (await registering).waiting_number == 5


async def test_a_number_that_does_not_come_is_not_waited_for_longer_than_asked(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        request = pb.RegisterWalkInRequest(parent="stores/sushi", party_size=2, wait=Duration(nanos=20_000_000))
        order = await house.stub.RegisterWalkIn(request)
        assert order.waiting_number == 0


async def test_the_answer_comes_before_the_deadline_of_a_caller_with_less_time(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        request = pb.RegisterWalkInRequest(parent="stores/sushi", party_size=2, wait=Duration(seconds=2))
        assert (await house.stub.RegisterWalkIn(request, timeout=1.9)).waiting_number == 0


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({}, "party_size"),
        ({"party_size": -1}, "party_size"),
        ({"party_size": 101}, "party_size"),
        ({"party_size": 2, "section": "a\nb"}, "section"),
        ({"party_size": 2, "wait": Duration(seconds=3)}, "wait"),
        ({"party_size": 2, "wait": Duration(seconds=-1)}, "wait"),
        ({"party_size": 2, "request_id": "x"}, "request_id"),
        ({"party_size": 2, "parent": ""}, "parent"),
    ],
)
async def test_a_wrong_walk_in_is_refused(tmp_path: Path, facts: dict[str, Any], field: str) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        request = pb.RegisterWalkInRequest(**{"parent": "stores/sushi", **facts})
        refused = await refusal(house.stub.RegisterWalkIn(request))
        assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, (field,))


async def test_an_unknown_order_or_store_is_not_found(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        stub = house.stub
        await house.open_store()
        await house.open_store("pizza")
        await house.join("r1")
        for name in ("stores/sushi/orders/r9", "stores/pizza/orders/r1", "r1", "stores/sushi/orders/R1"):
            for call in (
                stub.GetOrder(pb.GetOrderRequest(name=name)),
                stub.AcceptOrder(pb.AcceptOrderRequest(name=name)),
                stub.DeclineOrder(pb.DeclineOrderRequest(name=name)),
                stub.CallOrder(pb.CallOrderRequest(name=name)),
                stub.SeatOrder(pb.SeatOrderRequest(name=name)),
                stub.CompleteOrder(pb.CompleteOrderRequest(name=name)),
                stub.CancelOrder(pb.CancelOrderRequest(name=name)),
                stub.MarkOrderNoShow(pb.MarkOrderNoShowRequest(name=name)),
                stub.RestoreOrder(pb.RestoreOrderRequest(name=name)),
            ):
                assert (await refusal(call)).code is StatusCode.NOT_FOUND
        for parent in ("stores/nowhere", "nowhere", "stores/-"):
            for call in (
                stub.ListOrders(pb.ListOrdersRequest(parent=parent)),
                stub.CallNextOrder(pb.CallNextOrderRequest(parent=parent)),
                stub.RegisterWalkIn(pb.RegisterWalkInRequest(parent=parent, party_size=2)),
            ):
                assert (await refusal(call)).code is StatusCode.NOT_FOUND


async def test_a_missing_name_or_a_long_reason_is_a_wrong_field(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        name = await house.join("r1")
        for call, field in (
            (house.stub.CallOrder(pb.CallOrderRequest()), "name"),
            (house.stub.ListOrders(pb.ListOrdersRequest()), "parent"),
            (house.stub.CancelOrder(pb.CancelOrderRequest(name=name, reason="x" * 201)), "reason"),
            (house.stub.DeclineOrder(pb.DeclineOrderRequest(name=name, reason="\u202e")), "reason"),
            (house.stub.CallOrder(pb.CallOrderRequest(name=name, request_id="1")), "request_id"),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, (field,))


async def test_staff_who_saw_an_older_order_are_told_to_look_again(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        name = await house.join("r1")
        await house.stub.CallOrder(pb.CallOrderRequest(name=name, etag="1"))
        refused = await refusal(house.stub.SeatOrder(pb.SeatOrderRequest(name=name, etag="1")))
        assert (refused.code, refused.reason) == (StatusCode.ABORTED, "STALE")


async def test_of_many_who_act_on_one_order_one_wins(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        name = await house.join("r1")
        calls = [house.stub.CallOrder(pb.CallOrderRequest(name=name)) for _ in range(20)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(answer, Order) for answer in answers) == 1
        await house.told_of("called", name)
        assert len(house.orders_told("called")) == 1


async def test_orders_come_in_pages_oldest_first(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.open_store("pizza")
        await house.join("other", "pizza")
        for number in (3, 1, 2, 0, 4):
            await house.join(f"r{number}")
        await house.stub.CancelOrder(pb.CancelOrderRequest(name="stores/sushi/orders/r2"))
        assert await pages(house) == ["r0", "r1", "r2", "r3", "r4"]
        assert await pages(house, Order.ACCEPTED, Order.SEATED) == ["r0", "r1", "r3", "r4"]
        assert await pages(house, Order.CANCELED) == ["r2"]


async def pages(house: House, *states: Order.State.ValueType) -> list[str]:
    ids: list[str] = []
    token = ""
    while True:
        request = pb.ListOrdersRequest(parent="stores/sushi", page_size=2, page_token=token, states=states)
        page = await house.stub.ListOrders(request)
        ids.extend(order.name.split("/")[-1] for order in page.orders)
        token = page.next_page_token
        if not token:
            return ids


async def test_a_page_token_continues_its_own_list_only(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.open_store("pizza")
        await house.join("r1")
        await house.join("r2")
        token = (await house.stub.ListOrders(pb.ListOrdersRequest(parent="stores/sushi", page_size=1))).next_page_token
        for request in (
            pb.ListOrdersRequest(parent="stores/pizza", page_token=token),
            pb.ListOrdersRequest(parent="stores/sushi", states=[Order.CALLED], page_token=token),
            pb.ListOrdersRequest(parent="stores/sushi", page_token=token[:-2] + "AA"),
        ):
            assert (await refusal(house.stub.ListOrders(request))).fields == ("page_token",)
        for position in ([1, 2], ["never", "r1"], ["2026-03-02"], [["x"], "y"]):
            request = pb.ListOrdersRequest(parent="stores/sushi")
            request.page_token = page_token(request, position)
            assert (await refusal(house.stub.ListOrders(request))).fields == ("page_token",)
        wrong = pb.ListOrdersRequest(parent="stores/sushi", states=[Order.CALLED, Order.STATE_UNSPECIFIED])
        assert (await refusal(house.stub.ListOrders(wrong))).fields == ("states",)
