"""What becomes of a reception when seat and management speak, in whatever order."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.chassis.clock import ManualClock
from services.chassis.testing import eventually
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1.events_pb2 import Seating
from tests.component.reception_kit import NOON, House, reception, refusal

pytestmark = pytest.mark.every_database


async def outcome(house: House, name: str) -> tuple[Any, Any]:
    found = await house.get(name)
    return found.state, found.close_reason


async def test_a_hold_that_runs_out_is_a_no_show(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join(customer="customers/anna")).name
        await house.called(name)
        await house.seating_is(name, Seating.EXPIRED)
        assert await outcome(house, name) == (Reception.NO_SHOW, Reception.HOLD_EXPIRED)
        assert (await refusal(house.cancel(name))).reason == "ALREADY_CLOSED"
        await house.join(customer="customers/anna")


async def test_an_expiry_that_overtakes_its_call_ends_the_same(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.seating_is(name, Seating.EXPIRED, version=2)
        await house.seating_is(name, Seating.HELD, version=1)
        assert await outcome(house, name) == (Reception.NO_SHOW, Reception.HOLD_EXPIRED)


async def test_a_held_table_overtakes_the_broken_promise_before_it(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.fit = True
        name = (await house.join()).name
        await house.seating_is(name, Seating.HELD, version=2)
        await house.seating_is(name, Seating.TAKEN, version=1)
        assert (await house.get(name)).state == Reception.CALLED


async def test_a_table_held_for_a_canceled_party_is_given_back(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.cancel(name)
        before = await house.told_of("canceled", name)
        await house.called(name)
        again = await eventually(lambda: house.told(name) == ["added", "canceled", "canceled"] and house.heard[-1][1])
        assert again.reception.version > before.reception.version


async def test_staff_call_seat_and_complete(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.order_is(name, Order.CALLED, "called", hold_expire_time=NOON + timedelta(minutes=3))
        called = await house.get(name)
        assert (called.state, called.table) == (Reception.CALLED, "")
        assert called.hold_expire_time.ToDatetime() == (NOON + timedelta(minutes=3)).replace(tzinfo=None)
        await house.order_is(name, Order.SEATED, "seated", table="stores/sushi/tables/t9")
        seated = await house.get(name)
        assert (seated.state, seated.table) == (Reception.SEATED, "stores/sushi/tables/t9")
        assert (await refusal(house.cancel(name))).reason == "ALREADY_SEATED"
        await house.order_is(name, Order.COMPLETED, "completed")
        assert await outcome(house, name) == (Reception.COMPLETED, Reception.CLOSE_REASON_UNSPECIFIED)
        await house.told_of("closed", name)
        assert house.told(name) == ["added", "called", "seated", "closed"]


async def test_completing_implies_seating(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.order_is(name, Order.COMPLETED, "completed", version=9)
        await house.order_is(name, Order.SEATED, "seated", version=8)
        completed = await house.get(name)
        assert completed.state == Reception.COMPLETED
        assert completed.HasField("seat_time")


async def test_the_table_of_a_party_called_by_hand_becomes_known(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.order_is(name, Order.CALLED, "called")
        await house.called(name)
        assert (await house.get(name)).table == "stores/sushi/tables/t1"


async def test_seat_tells_the_table_of_a_seated_party(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.order_is(name, Order.SEATED, "seated")
        await house.seating_is(name, Seating.OCCUPIED, table="stores/sushi/tables/t3")
        assert (await house.get(name)).table == "stores/sushi/tables/t3"
        event = await eventually(lambda: len(house.told(name)) == 3 and house.heard[-1][1])
        assert event.reception.table == "stores/sushi/tables/t3"


@pytest.mark.parametrize(
    ("told", "state", "reason"),
    [
        (Order.DECLINED, Reception.REJECTED, Reception.STORE_DECLINED),
        (Order.CANCELED, Reception.CANCELED, Reception.STORE_CANCELED),
        (Order.NO_SHOW, Reception.NO_SHOW, Reception.MARKED_NO_SHOW),
    ],
)
async def test_staff_end_a_reception(tmp_path: Path, told: Any, state: Any, reason: Any) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.order_is(name, told, "canceled")
        assert await outcome(house, name) == (state, reason)


async def test_a_restored_party_is_back_at_its_place(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        first, second = await house.join(), await house.join()
        await house.called(first.name)
        await house.seating_is(first.name, Seating.EXPIRED)
        await house.order_is(first.name, Order.ACCEPTED, "restored", round=1)
        restored = await house.get(first.name)
        assert (restored.state, restored.waiting_number, restored.parties_ahead) == (Reception.WAITING, 1, 0)
        assert (await house.get(second.name)).parties_ahead == 1
        event = await house.told_of("restored", first.name)
        assert (event.reception.round, event.line.parties_waiting) == (1, 2)
        # what belongs to the round before is over
        await house.seating_is(first.name, Seating.EXPIRED, round=0)
        assert (await house.get(first.name)).state == Reception.WAITING
        await house.seating_is(first.name, Seating.HELD, round=1)
        assert (await house.get(first.name)).state == Reception.CALLED


async def test_a_promised_no_show_gets_a_number_when_restored(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.fit = True
        name = (await house.join(customer="customers/anna")).name
        await house.called(name)
        await house.seating_is(name, Seating.EXPIRED)
        await house.order_is(name, Order.ACCEPTED, "restored", round=1)
        assert (await house.get(name)).waiting_number == 1
        assert (await refusal(house.join(customer="customers/anna"))).reason == "ALREADY_IN_LINE"


async def test_a_restore_may_come_before_the_no_show_and_after_the_call_that_follows_it(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.called(name)
        await house.order_is(name, Order.CALLED, "called", round=1, version=7)
        await house.order_is(name, Order.ACCEPTED, "restored", round=1, version=6)
        await house.order_is(name, Order.NO_SHOW, "canceled", round=0, version=5)
        assert (await house.get(name)).state == Reception.CALLED


async def test_a_canceled_reception_is_not_restored_and_says_so_in_the_new_round(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        name = (await house.join()).name
        await house.cancel(name)
        await house.order_is(name, Order.ACCEPTED, "restored", round=1)
        assert (await house.get(name)).state == Reception.CANCELED
        await eventually(lambda: [m.reception.round for _, m in house.heard] == [0, 0, 1])


async def test_seated_here_means_gone_elsewhere(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        for store in ("a", "b", "c"):
            await house.store_is(store)
        names = [(await house.join(store=store, phone="010-1234-5678")).name for store in ("a", "b", "c")]
        await house.order_is(names[1], Order.SEATED, "seated")
        assert await outcome(house, names[0]) == (Reception.CANCELED, Reception.SEATED_ELSEWHERE)
        assert await outcome(house, names[2]) == (Reception.CANCELED, Reception.SEATED_ELSEWHERE)
        assert (await house.get(names[1])).state == Reception.SEATED
        event = await house.told_of("canceled", names[0])
        assert event.line.parties_waiting == 0
        await house.join(store="a", phone="010-1234-5678")


async def test_a_customer_who_sat_down_long_ago_may_come_again(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with reception(tmp_path, clock=clock) as house:
        await house.store_is()
        name = (await house.join(customer="customers/anna")).name
        await house.order_is(name, Order.SEATED, "seated")
        assert (await refusal(house.join(customer="customers/anna"))).reason == "ALREADY_IN_LINE"
        clock.advance(timedelta(hours=13))
        await house.join(customer="customers/anna")


async def test_a_walk_in_joins_whatever_the_stores_state(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(state=Store.CLOSED, max_party_size=2)
        name = "stores/sushi/receptions/walkin"
        await house.order_is(name, Order.ACCEPTED, "registered", party_size=20, walk_in=True, section="Bar")
        await house.order_is(name, Order.ACCEPTED, "registered", party_size=20, walk_in=True)
        walk_in = await house.get(name)
        assert (walk_in.state, walk_in.waiting_number) == (Reception.WAITING, 1)
        assert (walk_in.channel, walk_in.section) == (Reception.WALK_IN, "Bar")
        await house.told_of("added", name)
        assert house.told(name) == ["added"]


async def test_a_walk_in_may_come_before_its_store_and_after_its_call(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        name = "stores/sushi/receptions/walkin"
        await house.order_is(name, Order.CALLED, "called", version=2)
        await house.order_is(name, Order.SEATED, "seated", version=3)
        await house.order_is(name, Order.ACCEPTED, "registered", version=1, walk_in=True)
        assert (await house.get(name)).state == Reception.SEATED
        assert (await refusal(house.join())).reason == "NOT_FOUND"
        await house.store_is()
        assert (await house.join()).waiting_number == 2


async def test_everyone_not_called_is_sent_home(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_waiting=1000)
        names = [(await house.join()).name for _ in range(3)]
        await house.called(names[0])
        await house.store_is(state=Store.CLOSED, sent_home_time=house.clock.now())
        await eventually(lambda: "canceled" in house.told(names[2]))
        assert await outcome(house, names[1]) == (Reception.CANCELED, Reception.STORE_CLOSED)
        assert (await house.get(names[0])).state == Reception.CALLED
        # the same store told again sends nobody home again
        await house.store_is(sent_home_time=house.clock.now())
        later = await house.join()
        assert (await house.get(later.name)).state == Reception.WAITING


async def test_a_walk_in_that_comes_after_everyone_was_sent_home_leaves_too(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(state=Store.CLOSED, sent_home_time=NOON)
        early, late = "stores/sushi/receptions/early", "stores/sushi/receptions/late"
        await house.order_is(late, Order.ACCEPTED, "registered", create_time=NOON + timedelta(seconds=1))
        await house.order_is(early, Order.ACCEPTED, "registered", create_time=NOON - timedelta(seconds=1))
        await house.told_of("canceled", early)
        assert (await house.get(late)).state == Reception.WAITING


async def test_a_long_line_is_sent_home_in_pieces(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_waiting=1000)
        walk_ins = [
            house.order_event(f"stores/sushi/receptions/w{i}", Order.ACCEPTED, "registered") for i in range(450)
        ]
        await house.tell("management.order.registered.v1", *walk_ins)
        await house.store_is(state=Store.CLOSED, sent_home_time=house.clock.now())
        await eventually(lambda: sum(fact == "canceled" for fact, _ in house.heard) == 450)
        assert house.heard[-1][1].line.parties_waiting == 0


async def test_numbers_start_again_with_the_business_day(tmp_path: Path) -> None:
    clock = ManualClock(NOON)  # 12:00 in Seoul
    async with reception(tmp_path, clock=clock) as house:
        await house.store_is()
        left = await house.join()
        called = await house.join()
        await house.called(called.name)
        clock.advance(timedelta(hours=16, minutes=59))  # 4:59
        assert (await house.join()).waiting_number == 3
        clock.advance(timedelta(minutes=1))
        await eventually(lambda: "canceled" in house.told(left.name))
        assert await outcome(house, left.name) == (Reception.CANCELED, Reception.STORE_CLOSED)
        assert (await house.get(called.name)).state == Reception.CALLED
        today = await house.join()
        assert (today.waiting_number, today.business_day, today.parties_ahead) == (1, "2026-03-03", 0)
        clock.advance(timedelta(days=1))
        await eventually(lambda: "canceled" in house.told(today.name))


async def test_a_store_that_was_told_late_does_not_go_back(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(version=5, state=Store.CLOSED)
        await house.store_is(version=4, state=Store.OPEN)
        assert (await refusal(house.join())).reason == "STORE_CLOSED"


async def test_parties_are_told_when_their_turn_is_near(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(near_turn_parties=1)
        names = [(await house.join()).name for _ in range(4)]
        assert (await house.told_of("added", names[1])).reception.near_turn
        assert not (await house.told_of("added", names[2])).reception.near_turn
        await house.cancel(names[0])
        event = await house.told_of("neared", names[2])
        assert event.reception.near_turn
        assert event.reception.parties_ahead == 1
        await house.called(names[1])
        await house.told_of("neared", names[3])
        assert [house.told(name).count("neared") for name in names] == [0, 0, 1, 1]


async def test_a_store_may_tell_nobody_that_the_turn_is_near(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(near_turn_parties=0)
        names = [(await house.join()).name for _ in range(3)]
        await house.cancel(names[0])
        await house.told_of("canceled", names[0])
        assert "neared" not in house.told(names[1])
        assert not (await house.told_of("added", names[1])).reception.near_turn


async def test_the_pace_is_learned_from_the_calls(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with reception(tmp_path, clock=clock) as house:
        await house.store_is()
        names = [(await house.join()).name for _ in range(4)]
        for name in names[:3]:
            await house.called(name)
            clock.advance(timedelta(seconds=60))
        event = await house.told_of("called", names[2])
        # 300 → 228 → 177.6
        assert event.line.pace_seconds == 178
        assert (await house.get(names[3])).estimated_wait.seconds == 178


async def test_memory_is_what_the_database_says_after_a_restart(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(near_turn_parties=1)
        names = [(await house.join()).name for _ in range(4)]
    async with reception(tmp_path) as house:
        assert [(await house.get(name)).parties_ahead for name in names] == [0, 1, 2, 3]
        await house.cancel(names[1])
        assert [(await house.get(name)).parties_ahead for name in names[2:]] == [1, 2]
        await house.told_of("neared", names[2])
