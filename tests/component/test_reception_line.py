"""The place in line: postponing, watching, listing, contacts and the event feed."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest

from tabling.management.v1.order_pb2 import Order
from tabling.messaging.v1.event_feed_service_pb2 import ReadSnapshotsRequest
from tabling.messaging.v1.event_feed_service_pb2_grpc import EventFeedServiceStub
from tabling.reception.v1 import contact_service_pb2 as contact_rpc
from tabling.reception.v1 import reception_service_pb2 as rpc
from tabling.reception.v1.events_pb2 import ReceptionAdded
from tabling.reception.v1.reception_pb2 import Reception
from tests.component.reception_kit import TOLD, House, Refused, reception, refusal

INVALID = grpc.StatusCode.INVALID_ARGUMENT

pytestmark = pytest.mark.every_database


async def line_of(house: House, names: list[str]) -> list[int]:
    """The parties ahead of each."""
    return [(await house.get(name)).parties_ahead for name in names]


async def test_a_postponed_party_lets_others_go_first(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        names = [(await house.join()).name for _ in range(4)]
        postponed = await house.postpone(names[0], 2)
        assert (postponed.parties_ahead, postponed.postpone_count) == (2, 1)
        assert await line_of(house, names) == [2, 0, 1, 3]
        event = await house.told_of("postponed", names[0])
        assert event.reception.parties_ahead == 2
        assert event.reception.order_key > 0


async def test_only_parties_for_the_same_table_count(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        names = [(await house.join(size)).name for size in (2, 4, 1, 2, 2)]
        await house.postpone(names[0], 2)
        assert await line_of(house, names) == [3, 0, 1, 2, 4]


async def test_behind_more_than_wait_is_the_end(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        names = [(await house.join()).name for _ in range(3)]
        assert (await house.postpone(names[0], 2**31 - 1)).parties_ahead == 2
        later = await house.join()
        assert later.parties_ahead == 3
        # who is last already has nobody to let pass: nothing is used up
        assert (await house.postpone(later.name)).postpone_count == 0


async def test_a_third_postponement_is_too_many(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        names = [(await house.join()).name for _ in range(5)]
        for _ in range(2):
            await house.postpone(names[0])
        assert await line_of(house, names) == [2, 0, 1, 3, 4]
        assert (await refusal(house.postpone(names[0]))).reason == "POSTPONE_LIMIT"


async def test_only_who_waits_can_postpone(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        for parties in (0, -1):
            assert (await refusal(house.postpone(name, parties))).fields == ("parties",)
        await house.called(name)
        assert (await refusal(house.postpone(name))).reason == "ALREADY_CALLED"
        await house.cancel(name)
        assert (await refusal(house.postpone(name))).reason == "ALREADY_CLOSED"
        house.seats.fit = True
        assert (await refusal(house.postpone((await house.join()).name))).reason == "NOT_WAITING"


async def test_a_preview_changes_nothing(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        names = [(await house.join()).name for _ in range(3)]
        preview = await house.postpone(names[0], 1, validate_only=True)
        assert (preview.parties_ahead, preview.postpone_count) == (1, 1)
        assert await line_of(house, names) == [0, 1, 2]
        assert (await house.get(names[0])).version == 1


async def test_a_postponed_party_is_told_again_when_its_turn_is_near(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(near_turn_parties=1)
        names = [(await house.join()).name for _ in range(4)]
        await house.postpone(names[0], 3)
        await house.told_of("neared", names[2])
        await house.called(names[1])
        await house.called(names[2])
        await house.told_of("neared", names[0])


async def test_one_place_is_shared_out_many_times(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_postpones=2)
        fronts = [(await house.join()).name for _ in range(40)]
        await house.join(7)
        for name in fronts[:-1]:
            await house.postpone(name, 1, request_id=str(uuid4()))
        places = await line_of(house, fronts)
        assert len(set(places)) == len(fronts)


async def test_the_place_is_told(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        await house.join()
        name = (await house.join()).name
        place = await house.stub.GetPlace(rpc.GetPlaceRequest(name=f"{name}/place"))
        assert (place.parties_ahead, place.estimated_wait.seconds) == (1, 600)
        await house.called(name)
        place = await house.stub.GetPlace(rpc.GetPlaceRequest(name=f"{name}/place"))
        assert place.state == Reception.CALLED
        assert not place.HasField("estimated_wait")


async def test_a_watcher_sees_every_change_until_the_end(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        names = [(await house.join()).name for _ in range(3)]
        watch = house.stub.WatchReception(rpc.WatchReceptionRequest(name=names[2]))
        assert (await watch.read()).reception.parties_ahead == 2
        await house.join()  # behind: no news
        await house.cancel(names[0])
        assert (await watch.read()).reception.parties_ahead == 1
        await house.called(names[2])
        assert (await watch.read()).reception.state == Reception.CALLED
        await house.cancel(names[2])
        assert (await watch.read()).reception.state == Reception.CANCELED
        assert await watch.read() is grpc.aio.EOF


async def test_a_watcher_of_an_ended_reception_is_told_once(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.cancel(name)
        steps = [step async for step in house.stub.WatchReception(rpc.WatchReceptionRequest(name=name))]
        assert [step.reception.state for step in steps] == [Reception.CANCELED]


async def test_a_quiet_watch_is_kept_alive(tmp_path: Path) -> None:
    async with reception(tmp_path, heartbeat_seconds=0.02) as house:
        await house.store_is()
        name = (await house.join()).name
        watch = house.stub.WatchReception(rpc.WatchReceptionRequest(name=name))
        assert (await watch.read()).HasField("reception")
        assert await watch.read() == rpc.WatchReceptionResponse(heartbeat=True)


async def pages(house: House, **asked: Any) -> list[Reception]:
    found: list[Reception] = []
    token = ""
    while True:
        request = rpc.ListReceptionsRequest(page_token=token, **asked)
        page = await house.stub.ListReceptions(request)
        found.extend(page.receptions)
        token = page.next_page_token
        if not token:
            return found


async def test_receptions_of_a_store_are_listed(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        await house.store_is("other")
        names = [(await house.join()).name for _ in range(5)]
        await house.join(store="other")
        await house.cancel(names[1])
        listed = await pages(house, parent="stores/sushi", page_size=2)
        assert {r.name for r in listed} == set(names)
        assert listed == await pages(house, parent="stores/sushi")
        waiting = await pages(house, parent="stores/sushi", page_size=2, states=[Reception.WAITING])
        assert sorted(r.parties_ahead for r in waiting) == [0, 1, 2, 3]


async def test_a_customers_receptions_are_listed_over_all_stores(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is("a")
        await house.store_is("b")
        mine = [(await house.join(store=store, customer="customers/anna")).name for store in ("a", "b")]
        await house.join(store="a", customer="customers/ben")
        listed = await pages(house, parent="stores/-", customer="customers/anna", page_size=1)
        assert {r.name for r in listed} == set(mine)
        assert [r.name for r in await pages(house, parent="stores/b", customer="customers/anna")] == [mine[1]]
        assert await pages(house, parent="stores/-", customer="customers/nobody") == []


async def test_wrong_lists_are_refused(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        for _ in range(3):
            await house.join()

        async def refused(**asked: Any) -> Refused:
            return await refusal(house.stub.ListReceptions(rpc.ListReceptionsRequest(**asked)))

        assert await refused(parent="stores/-") == Refused(INVALID, "INVALID_FIELD", ("customer",), {})
        assert (await refused(parent="stores/sushi", customer="anna")).fields == ("customer",)
        assert (await refused(parent="stores/sushi", page_size=-1)).fields == ("page_size",)
        assert (await refused(parent="stores/sushi", page_token="x")).fields == ("page_token",)
        assert (await refused(parent="stores/sushi", states=[99])).fields == ("states",)
        assert (await refused(parent="stores/sushi", states=[0])).fields == ("states",)
        assert (await refused(parent="stores/nowhere")).code == grpc.StatusCode.NOT_FOUND
        assert (await refused(parent="nonsense")).code == grpc.StatusCode.NOT_FOUND
        request = rpc.ListReceptionsRequest(parent="stores/sushi", page_size=1)
        token = (await house.stub.ListReceptions(request)).next_page_token
        other = await refused(parent="stores/sushi", page_token=token, states=[Reception.WAITING])
        assert other.fields == ("page_token",)


async def test_contacts_are_given_by_reference(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        known = await house.join(phone="010-1234-5678", language_code="en")
        unknown = await house.join()
        names = [known.name, unknown.name, "nonsense", known.name.replace("sushi", "other")]
        answer = await house.contacts.BatchGetContacts(contact_rpc.BatchGetContactsRequest(names=names))
        contact = contact_rpc.Contact(reception=known.name, phone="+821012345678", language_code="en")
        assert list(answer.contacts) == [contact]
        many = house.contacts.BatchGetContacts(contact_rpc.BatchGetContactsRequest(names=["x"] * 1001))
        assert (await refusal(many)).fields == ("names",)


@pytest.mark.parametrize("parties", [3, 401])
async def test_the_feed_tells_every_reception_once(tmp_path: Path, parties: int) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        walk_ins = [
            house.order_event(f"stores/sushi/receptions/w{i}", Order.ACCEPTED, "registered") for i in range(parties)
        ]
        await house.tell("management.order.registered.v1", *walk_ins)
        await house.called("stores/sushi/receptions/w1")
        await house.cancel("stores/sushi/receptions/w2")
        feed = EventFeedServiceStub(house.channel)
        events = [e async for body in feed.ReadSnapshots(ReadSnapshotsRequest()) for e in body.events]
        told: dict[str, tuple[str, Any]] = {e.subject: (e.type, TOLD[e.type].FromString(e.data)) for e in events}
        assert len(told) == len(events) == parties
        kind, latest = told["stores/sushi/receptions/w1"]
        assert kind == "reception.reception.called.v1"
        assert latest.line.parties_waiting == parties - 2
        assert told["stores/sushi/receptions/w2"][0] == "reception.reception.canceled.v1"
        assert isinstance(told["stores/sushi/receptions/w0"][1], ReceptionAdded)


async def test_joins_and_leaves_at_once_leave_a_sound_line(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_waiting=1000)

        async def come_and_maybe_go(number: int) -> None:
            joined = await house.join(1 + number % 8, phone=f"010-1234-{5000 + number}")
            if number % 3 == 0:
                await house.cancel(joined.name)
            elif number % 3 == 1:
                await house.postpone(joined.name, 1 + number % 4)

        await asyncio.gather(*(come_and_maybe_go(number) for number in range(90)))
        listed = await pages(house, parent="stores/sushi", states=[Reception.WAITING])
        assert sorted(r.parties_ahead for r in listed) == list(range(60))
        numbers = [r.waiting_number for r in await pages(house, parent="stores/sushi")]
        assert sorted(numbers) == list(range(1, 91))
