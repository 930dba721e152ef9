"""What management hears, in any order, and what it tells to those who come later."""

import random
from pathlib import Path

import pytest

from services.chassis.messages import Message, envelope
from tabling.management.v1 import management_service_pb2 as pb
from tabling.management.v1.order_pb2 import Order
from tabling.messaging.v1.event_feed_service_pb2 import ReadSnapshotsRequest
from tabling.messaging.v1.event_feed_service_pb2_grpc import EventFeedServiceStub
from tabling.reception.v1 import events_pb2 as reception
from tabling.reception.v1.reception_pb2 import Reception
from tests.component.management_kit import NOON, TOLD, House, at, management

pytestmark = pytest.mark.every_database

R1, O1 = "stores/sushi/receptions/r1", "stores/sushi/orders/r1"


async def state(house: House, name: str = O1) -> Order.State.ValueType:
    order: Order = await house.stub.GetOrder(pb.GetOrderRequest(name=name))
    return order.state


async def test_events_in_any_order_end_the_same(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        life = [
            (1, Reception.WAITING),
            (2, Reception.WAITING),
            (3, Reception.CALLED),
            (4, Reception.SEATED),
            (5, Reception.COMPLETED),
        ]
        for attempt in range(10):
            arrived = random.Random(attempt).sample([*life, *life], 10)
            for version, where in arrived:
                await house.reception_is(f"stores/sushi/receptions/r{attempt}", where, version=version)
            assert await state(house, f"stores/sushi/orders/r{attempt}") == Order.COMPLETED


async def test_every_event_of_reception_is_followed(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        facts = {
            "added": reception.ReceptionAdded,
            "numbered": reception.ReceptionNumbered,
            "postponed": reception.ReceptionPostponed,
            "neared": reception.ReceptionNeared,
            "called": reception.ReceptionCalled,
            "seated": reception.ReceptionSeated,
            "canceled": reception.ReceptionCanceled,
            "closed": reception.ReceptionClosed,
            "restored": reception.ReceptionRestored,
        }
        for version, (fact, event) in enumerate(facts.items(), 1):
            snapshot = reception.ReceptionSnapshot(
                name=R1, version=version, state=Reception.WAITING, waiting_number=version, create_time=at(NOON)
            )
            await house.tell(f"reception.reception.{fact}.v1", event(reception=snapshot))
            order = await house.stub.GetOrder(pb.GetOrderRequest(name=O1))
            assert order.waiting_number == version, fact


async def test_a_join_of_a_store_not_heard_of_becomes_an_order(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        assert await state(house, await house.join("r1", "nowhere")) == Order.ACCEPTED


async def test_many_joins_in_one_envelope_become_many_orders(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        added = [
            reception.ReceptionAdded(
                reception=reception.ReceptionSnapshot(
                    name=f"stores/sushi/receptions/r{n}", version=1, state=Reception.WAITING, create_time=at(NOON)
                )
            )
            for n in range(300)
        ]
        events = [Message("reception.reception.added.v1", "s", "c", each.SerializeToString()) for each in added]
        await house.bus.publish(envelope("reception", events, NOON))
        page = await house.stub.ListOrders(pb.ListOrdersRequest(parent="stores/sushi", page_size=500))
        assert len(page.orders) == 300


async def test_a_table_follows_its_newest_snapshot(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        name, window = await house.join("r1", party_size=4), "stores/sushi/tables/window"
        await house.table_is(window, version=9, capacity=4)
        await house.table_is(window, version=8, capacity=1)
        seated = await house.stub.SeatOrder(pb.SeatOrderRequest(name=name, table=window))
        assert seated.table == window


async def test_a_reception_that_ended_takes_its_order_along(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        ends = {
            Reception.CANCELED: Order.CANCELED,
            Reception.NO_SHOW: Order.NO_SHOW,
            Reception.REJECTED: Order.DECLINED,
            Reception.COMPLETED: Order.COMPLETED,
        }
        for end, expected in ends.items():
            name = await house.join(f"r{end}")
            await house.stub.SeatOrder(pb.SeatOrderRequest(name=name))
            await house.reception_is(f"stores/sushi/receptions/r{end}", end)
            assert await state(house, name) == expected


async def test_the_feed_tells_the_present_of_all_stores_and_orders(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        for number in range(205):
            await house.join(f"r{number:03}")
        name = "stores/sushi/orders/r{:03}".format
        await house.stub.CallOrder(pb.CallOrderRequest(name=name(1)))
        await house.stub.SeatOrder(pb.SeatOrderRequest(name=name(2)))
        await house.stub.CancelOrder(pb.CancelOrderRequest(name=name(3)))
        await house.stub.SeatOrder(pb.SeatOrderRequest(name=name(4)))
        await house.stub.CompleteOrder(pb.CompleteOrderRequest(name=name(4)))
        walk_in = await house.stub.RegisterWalkIn(pb.RegisterWalkInRequest(parent="stores/sushi", party_size=2))
        told = await feed(house)
        assert told["stores/sushi"][0] == "management.store.changed.v1"
        assert told[name(0)][0] == "management.order.accepted.v1"
        assert told[name(1)][0] == "management.order.called.v1"
        assert told[name(2)][0] == "management.order.seated.v1"
        assert told[name(3)][0] == "management.order.canceled.v1"
        assert told[name(4)][0] == "management.order.completed.v1"
        assert told[walk_in.name][0] == "management.order.registered.v1"
        assert len(told) == 207
        for subject, (_, message) in told.items():
            if "/orders/" in subject:
                assert message == await house.stub.GetOrder(pb.GetOrderRequest(name=subject))


async def test_the_feed_tells_what_is_asked_for_only(tmp_path: Path) -> None:
    async with management(tmp_path) as house:
        await house.open_store()
        await house.join("r1")
        assert list(await feed(house, "management.store.changed.v1")) == ["stores/sushi"]


async def feed(house: House, *types: str) -> dict[str, tuple[str, object]]:
    told: dict[str, tuple[str, object]] = {}
    async for body in EventFeedServiceStub(house.channel).ReadSnapshots(ReadSnapshotsRequest(types=types)):
        for event in body.events:
            message = TOLD[event.type].FromString(event.data)
            told[event.subject] = (event.type, message.store if hasattr(message, "store") else message.order)
    return told
