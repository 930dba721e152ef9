"""The seat service's part in the saga: events in, tables given, events out."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from services.chassis.clock import ManualClock
from services.chassis.testing import eventually
from tabling.management.v1.store_pb2 import Store
from tabling.messaging.v1.event_feed_service_pb2 import ReadSnapshotsRequest
from tabling.messaging.v1.event_feed_service_pb2_grpc import EventFeedServiceStub
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1 import seat_service_pb2 as rpc
from tabling.seat.v1.events_pb2 import Seating
from tabling.seat.v1.table_pb2 import Table
from tests.component.seat_kit import NOON, STEP, TIMEOUT, TOLD, House, at, seat, snapshot

pytestmark = pytest.mark.every_database


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with seat(tmp_path) as house:
        await house.store_is()
        yield house


async def test_a_party_that_finds_a_table_has_it_held(house: House) -> None:
    await house.add_table("a", 4)
    await house.reception_is("p", Reception.REQUESTED, party_size=3)
    seating = await house.told_of("p", Seating.HELD)
    assert seating.table == "stores/s1/tables/a"
    assert seating.hold_time == at(NOON)
    assert seating.hold_expire_time == at(NOON + TIMEOUT)
    table = await house.table("a")
    assert table.reception == "stores/s1/receptions/p"
    assert table.hold_expire_time == at(NOON + TIMEOUT)


async def test_the_whole_way_from_the_line_to_leaving(house: House) -> None:
    await house.add_table("a", 4)
    await house.join("p")
    held = await house.told_of("p", Seating.HELD)
    await house.reception_is(
        "p", Reception.CALLED, table=held.table, hold_expire_time=held.hold_expire_time, order_key=STEP
    )
    await house.reception_is("p", Reception.SEATED, table=held.table)
    await house.told_of("p", Seating.OCCUPIED)
    assert await house.has("a") == "OCCUPIED p"
    await house.reception_is("p", Reception.COMPLETED, table=held.table)
    freed = await house.told_of("p", Seating.FREED)
    assert freed.table == "stores/s1/tables/a"
    assert await house.has("a") == "FREE"
    versions = [seating.version for seating in house.seatings("p")]
    assert versions == sorted(set(versions))
    assert len(versions) == 3


async def test_of_two_promised_the_same_table_one_is_told_that_it_is_taken(house: House) -> None:
    await house.add_table("a", 4)
    await house.tell(snapshot("p", Reception.REQUESTED, 1), snapshot("q", Reception.REQUESTED, 1, order_key=2 * STEP))
    await house.told_of("p", Seating.HELD)
    taken = await house.told_of("q", Seating.TAKEN)
    assert taken.table == ""
    await house.reception_is("p", Reception.CANCELED)
    await house.told_of("q", Seating.HELD)


async def test_a_promise_in_a_store_that_is_not_known_yet_is_withdrawn(house: House) -> None:
    await house.reception_is("p", Reception.REQUESTED, store="s2")
    await house.told_of("p", Seating.TAKEN)
    await house.store_is("s2")
    await house.add_table("a", 2, store="s2")
    held = await house.told_of("p", Seating.HELD)
    assert held.table == "stores/s2/tables/a"


async def test_a_hold_that_runs_out_goes_to_the_next_party(house: House) -> None:
    await house.add_table("a", 4)
    await house.join("p")
    await house.join("q")
    house.clock.advance(TIMEOUT)
    expired = await house.told_of("p", Seating.EXPIRED)
    assert expired.table == "stores/s1/tables/a"
    held = await house.told_of("q", Seating.HELD)
    assert held.hold_expire_time == at(NOON + 2 * TIMEOUT)
    assert await house.has("a") == "HELD q"


async def test_a_hold_runs_out_on_time_although_the_service_was_down(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with seat(tmp_path, clock=clock) as house:
        await house.store_is()
        await house.add_table("a", 4)
        await house.join("p")
        await house.told_of("p", Seating.HELD)
    clock.advance(TIMEOUT)
    async with seat(tmp_path, clock=clock) as house:
        await house.told_of("p", Seating.EXPIRED)
        assert await house.has("a") == "FREE"


async def test_a_seated_party_is_not_sent_away_by_its_old_hold(house: House) -> None:
    await house.add_table("a", 4)
    await house.join("p")
    await house.reception_is("p", Reception.SEATED)
    house.clock.advance(TIMEOUT)
    await house.join("q")
    assert await house.has("a") == "OCCUPIED p"
    assert [seating.state for seating in house.seatings("p")] == [Seating.HELD, Seating.OCCUPIED]


async def test_a_freed_table_goes_past_parties_that_do_not_fit(house: House) -> None:
    await house.add_table("a", 2)
    await house.join("sitting", 2)
    for n in range(20):
        await house.join(f"large{n}", 5)
    await house.join("terrace", 2, section="Terrace")
    await house.join("small", 2)
    await house.join("later", 1)
    await house.reception_is("sitting", Reception.CANCELED)
    await house.told_of("small", Seating.HELD)
    assert await house.has("a") == "HELD small"


async def test_several_changes_of_one_envelope_see_each_other(house: House) -> None:
    await house.add_table("a", 2)
    await house.tell(
        snapshot("p", Reception.WAITING, 1, order_key=1 * STEP),
        snapshot("q", Reception.WAITING, 1, order_key=2 * STEP),
        snapshot("r", Reception.WAITING, 1, order_key=3 * STEP),
        snapshot("p", Reception.CANCELED, 2, order_key=1 * STEP),
        snapshot("q", Reception.CANCELED, 2, order_key=2 * STEP),
    )
    assert await house.has("a") == "HELD r"
    await eventually(lambda: (table := house.last_table("a")) and table.reception.endswith("/r"))
    assert [seating.state for seating in house.seatings("q")] == [Seating.HELD, Seating.FREED]


async def test_a_table_is_told_of_once_per_transaction_with_its_last_state(house: House) -> None:
    await house.add_table("a", 2)
    await eventually(lambda: house.last_table("a"))
    await house.tell(snapshot("p", Reception.WAITING, 1), snapshot("p", Reception.SEATED, 2))
    await eventually(lambda: (table := house.last_table("a")) and table.state == table.OCCUPIED)
    assert [kind for kind, _ in house.heard].count("seat.table.changed.v1") == 2
    table = house.last_table("a")
    assert table == await house.table("a")


async def test_free_seats_are_told_when_they_change(house: House) -> None:
    await house.add_table("a", 4)
    await house.add_table("b", 2)
    await eventually(lambda: (a := house.last_availability()) and a.seats_remaining == 6)
    await house.join("p", 2)
    await eventually(lambda: (a := house.last_availability()) and a.seats_remaining == 4)
    availability = await house.stub.GetAvailability(rpc.GetAvailabilityRequest(name="stores/s1/availability"))
    assert availability == house.last_availability()
    counts = (availability.tables_free, availability.tables_total, availability.largest_free_capacity)
    assert counts == (1, 2, 4)


async def test_a_strict_line_serves_its_first_only(house: House) -> None:
    await house.store_is(version=2, seating_mode=Store.STRICT_FIFO)
    await house.add_table("a", 2)
    await house.join("large", 4)
    await house.join("small", 2)
    await house.join("smaller", 1)
    assert await house.has("a") == "FREE"
    assert await house.could_sit((1, "")) == [False]
    await house.reception_is("large", Reception.CANCELED)
    assert await house.has("a") == "HELD small"


async def test_a_party_restored_to_the_front_of_a_strict_line_is_first(house: House) -> None:
    await house.store_is(version=2, seating_mode=Store.STRICT_FIFO)
    await house.add_table("a", 2)
    await house.tell(
        snapshot("p", Reception.NO_SHOW, 1, order_key=1 * STEP),
        snapshot("large", Reception.WAITING, 1, order_key=2 * STEP, party_size=4),
        snapshot("small", Reception.WAITING, 1, order_key=3 * STEP),
        snapshot("p", Reception.WAITING, 2, order_key=1 * STEP, round=1),
    )
    assert await house.has("a") == "HELD p"
    assert house.seatings("small") == []
    assert (await house.told_of("p", Seating.HELD)).round == 1


async def test_a_store_that_calls_by_hand_is_never_available(house: House) -> None:
    await house.store_is(version=2, seating_mode=Store.BY_HAND)
    await house.add_table("a", 2)
    assert await house.could_sit((1, "")) == [False]
    await house.join("p")
    await house.reception_is("p", Reception.CALLED, hold_expire_time=at(NOON + timedelta(minutes=1)))
    assert (await house.told_of("p", Seating.HELD)).table == ""
    house.clock.advance(timedelta(minutes=1))
    await house.told_of("p", Seating.EXPIRED)


async def test_staff_decide_where_a_party_sits(house: House) -> None:
    await house.add_table("a", 2)
    await house.add_table("b", 6)
    await house.join("p")
    await house.join("q", 2)
    await house.reception_is("q", Reception.CANCELED)
    await house.reception_is("p", Reception.SEATED, table="stores/s1/tables/b")
    assert await house.has("a") == "FREE"
    assert await house.has("b") == "OCCUPIED p"


async def test_any_order_of_arrival_with_repetitions_ends_in_the_same_state(house: House) -> None:
    await house.add_table("a", 2)
    hold: dict[str, Any] = {"table": "stores/s1/tables/a", "hold_expire_time": at(NOON + TIMEOUT)}
    shuffle = random.Random(7)
    for party in map(str, range(12)):
        history = [
            snapshot(party, Reception.REQUESTED, 1),
            snapshot(party, Reception.CALLED, 2, **hold),
            snapshot(party, Reception.NO_SHOW, 3),
            snapshot(party, Reception.WAITING, 4, round=1),
            snapshot(party, Reception.SEATED, 5, round=1, table="stores/s1/tables/a"),
        ]
        for message in shuffle.sample(history, len(history)) + shuffle.sample(history, 2):
            await house.tell(message)
        assert await house.has("a") == f"OCCUPIED {party}"
        await house.tell(snapshot(party, Reception.COMPLETED, 6, round=1))
        assert await house.has("a") == "FREE"


async def test_an_envelope_that_comes_twice_takes_effect_once(house: House) -> None:
    await house.add_table("a", 2)
    message = snapshot("p", Reception.WAITING, 1)
    await house.tell(message)
    await house.tell(message)
    await house.join("q")
    await house.told_of("p", Seating.HELD)
    assert len(house.seatings("p")) == 1


async def test_a_snapshot_that_makes_no_sense_is_put_aside_alone(house: House) -> None:
    await house.add_table("a", 2)
    nonsense = snapshot("x", Reception.WAITING, 1, store="s1/s2")
    await house.tell(nonsense, snapshot("p", Reception.WAITING, 1))
    assert await house.has("a") == "HELD p"
    count = select(func.count()).select_from(house.service.frame.tables.tables["dead_letters"])
    assert await house.service.frame.database.read(lambda c: c.execute(count).scalar_one()) == 1


async def test_the_feed_tells_what_all_events_told(house: House) -> None:
    for n in range(3):
        await house.add_table(f"t{n}", 2)
    await house.store_is("s2")
    await house.store_is("empty")
    await house.add_table("u", 4, store="s2", section="Terrace")
    for party in ("held", "sits", "gone"):
        await house.join(party)
    await house.reception_is("sits", Reception.SEATED)
    await house.reception_is("gone", Reception.COMPLETED)
    await house.join("waits", 9)
    await house.reception_is("refused", Reception.REQUESTED, party_size=9, order_key=99 * STEP)
    await house.told_of("refused", Seating.TAKEN)
    await eventually(lambda: house.seatings("gone")[-1:] and house.seatings("gone")[-1].state == Seating.FREED)
    feed = EventFeedServiceStub(house.channel)
    events = [e async for envelope in feed.ReadSnapshots(ReadSnapshotsRequest()) for e in envelope.events]
    newest = {}
    for kind, message in house.heard:
        subject = getattr(message, message.DESCRIPTOR.fields[0].name)
        newest[kind.split(".")[1], getattr(subject, "name", "") or subject.reception] = message
    wanted = {key: m for key, m in newest.items() if not key[1].endswith("/gone")}
    assert {(e.type.split(".")[1], e.subject): TOLD[e.type].FromString(e.data) for e in events} == wanted


async def test_the_feed_comes_in_pages(house: House) -> None:
    requests = [rpc.CreateTableRequest(table=Table(capacity=2)) for _ in range(200)]
    await house.stub.BatchCreateTables(rpc.BatchCreateTablesRequest(parent="stores/s1", requests=requests))
    await house.add_table("one-more", 2)
    await house.tell(*(snapshot(f"p{n}", Reception.WAITING, 1, order_key=n) for n in range(201)))
    feed = EventFeedServiceStub(house.channel)
    pages = [page async for page in feed.ReadSnapshots(ReadSnapshotsRequest())]
    subjects = [event.subject for page in pages for event in page.events]
    assert len(subjects) == len(set(subjects)) == 201 + 201 + 1
    assert max(len(page.events) for page in pages) == 200
    only = feed.ReadSnapshots(ReadSnapshotsRequest(types=["seat.availability.changed.v1"]))
    assert [event.type async for page in only for event in page.events] == ["seat.availability.changed.v1"]
