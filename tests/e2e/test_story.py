"""The whole story: customers, staff and their phones, from joining a line to leaving the store."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.chassis.testing import eventually
from tabling.dashboard.v1 import dashboard_service_pb2 as screens
from tabling.management.v1 import management_service_pb2 as staff
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1 import reception_service_pb2 as line
from tabling.reception.v1.reception_pb2 import Reception
from tests.e2e.story_kit import Json, Story, new_phone, new_store, refusal, story_of
from tests.e2e.system import running_system

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    async with running_system(tmp_path_factory.mktemp("story") / "data") as system, story_of(system) as it:
        yield it
        await it.at_rest()


@pytest_asyncio.fixture(loop_scope="module")
async def store(story: Story) -> str:
    """An open store with a table for two."""
    return await new_store(story, 2)


def order_of(reception: Json) -> str:
    return str(reception["name"]).replace("/receptions/", "/orders/")


async def seat(story: Story, reception: Json) -> Any:
    """Staff see the party before they act."""
    await story.at_rest()
    return await story.staff.SeatOrder(staff.SeatOrderRequest(name=order_of(reception)))


async def complete(story: Story, reception: Json) -> Any:
    await story.at_rest()
    return await story.staff.CompleteOrder(staff.CompleteOrderRequest(name=order_of(reception)))


async def order_shown(story: Story, reception: Json) -> Any:
    return await story.staff.GetOrder(staff.GetOrderRequest(name=order_of(reception)))


async def becomes(story: Story, reception: Json, **wanted: Any) -> Json:
    """The reception once it has these values."""

    async def shown() -> Json | None:
        seen = await story.get(reception["name"])
        assert {field: seen[field] for field in wanted} == wanted
        return seen

    seen: Json = await eventually(shown)
    return seen


async def test_a_party_for_which_a_table_is_free_is_told_to_come_in(story: Story, store: str) -> None:
    phone = new_phone()
    joined = await story.join(store, 2, phone=phone)
    assert (joined["state"], joined["waitingNumber"], joined["table"]) == ("REQUESTED", 0, "")
    called = await becomes(story, joined, state="CALLED", table=f"{store}/tables/t1", waitingNumber=0)
    assert called["holdExpireTime"] > called["callTime"] >= joined["createTime"]
    assert await story.told(phone) == ["COME_IN"]
    assert "지금 바로 입장하실 수 있습니다." in await story.inbox_page(phone)


async def test_the_store_gets_the_order_of_everyone_who_joins(story: Story, store: str) -> None:
    first, second = await story.join(store, 2), await story.join(store, 1)
    await story.at_rest()
    listed = await story.staff.ListOrders(staff.ListOrdersRequest(parent=store))
    assert [(order.reception, order.state, order.party_size, order.waiting_number) for order in listed.orders] == [
        (first["name"], Order.CALLED, 2, 0),
        (second["name"], Order.ACCEPTED, 1, 1),
    ]


async def test_a_party_that_finds_no_free_table_gets_a_number(story: Story, store: str) -> None:
    await story.join(store, wait="1s")
    phone = new_phone()
    first, second = await story.join(store), await story.join(store, phone=phone)
    assert (first["state"], first["waitingNumber"], first["partiesAhead"]) == ("WAITING", 1, 0)
    assert (second["state"], second["waitingNumber"], second["partiesAhead"]) == ("WAITING", 2, 1)
    assert await story.told(phone) == ["NUMBERED"]
    [message] = await story.messages(phone)
    assert "■ 대기번호: 2번\n■ 인원: 2명\n■ 앞 대기: 1팀" in message["text"]


async def test_who_waits_for_the_answer_gets_it_with_the_table(story: Story, store: str) -> None:
    joined = await story.join(store, wait="2s")
    assert (joined["state"], joined["table"]) == ("CALLED", f"{store}/tables/t1")


async def test_a_message_speaks_the_language_of_its_reader(story: Story, store: str) -> None:
    phone = new_phone()
    await story.join(store, phone=phone, languageCode="en")
    await story.at_rest()
    assert "Please come in" in await story.inbox_page(phone)


async def test_a_table_that_is_left_goes_to_the_next_party_and_it_is_told(story: Story, store: str) -> None:
    phone = new_phone()
    first = await story.join(store, wait="1s")
    second = await story.join(store, phone=phone)
    assert (await seat(story, first)).state == Order.SEATED
    await becomes(story, first, state="SEATED", table=f"{store}/tables/t1")
    assert (await complete(story, first)).state == Order.COMPLETED
    await becomes(story, second, state="CALLED", table=f"{store}/tables/t1", waitingNumber=1)
    await becomes(story, first, state="COMPLETED")
    assert await story.told(phone) == ["NUMBERED", "CALLED"]


async def test_a_canceled_hold_goes_to_the_next_party(story: Story, store: str) -> None:
    phone = new_phone()
    first = await story.join(store, phone=phone, wait="1s")
    second, third = await story.join(store), await story.join(store)
    await story.post(f"{first['name']}:cancel")
    await becomes(story, second, state="CALLED", table=f"{store}/tables/t1")
    await becomes(story, third, state="WAITING", partiesAhead=0)
    assert await story.told(phone) == ["COME_IN", "CANCELED"]
    order = await order_shown(story, first)
    assert (order.state, order.table) == (Order.CANCELED, "")


async def test_a_party_that_gives_up_in_line_lets_the_others_move_up(story: Story, store: str) -> None:
    _, second, third = [await story.join(store, wait="1s") for _ in range(3)]
    assert third["partiesAhead"] == 1
    await story.post(f"{second['name']}:cancel")
    place = await story.get(f"{third['name']}/place")
    assert (place["partiesAhead"], place["state"]) == (0, "WAITING")


async def test_a_store_that_accepts_by_hand_may_decline(story: Story) -> None:
    phone = new_phone()
    joined = await story.join("stores/seongsu-omakase", 4, phone=phone)
    await story.at_rest()
    assert (await order_shown(story, joined)).state == Order.RECEIVED
    request = staff.DeclineOrderRequest(name=order_of(joined), reason="오늘은 코스 예약이 모두 찼습니다.")
    assert (await story.staff.DeclineOrder(request)).state == Order.DECLINED
    await becomes(story, joined, state="REJECTED", closeReason="STORE_DECLINED")
    assert await story.told(phone) == ["NUMBERED", "DECLINED"]


async def test_a_store_that_accepts_and_calls_by_hand_seats_without_tables(story: Story) -> None:
    phone = new_phone()
    joined = await story.join("stores/seongsu-omakase", 2, phone=phone)
    await story.at_rest()
    accepted = await story.staff.AcceptOrder(staff.AcceptOrderRequest(name=order_of(joined)))
    assert accepted.state == Order.ACCEPTED
    called = await story.staff.CallNextOrder(staff.CallNextOrderRequest(parent="stores/seongsu-omakase"))
    assert (called.name, called.state) == (order_of(joined), Order.CALLED)
    await becomes(story, joined, state="CALLED", table="")
    await seat(story, joined)
    await becomes(story, joined, state="SEATED")
    assert await story.told(phone) == ["NUMBERED", "CALLED"]
    await complete(story, joined)


async def test_a_party_that_does_not_come_loses_its_table_and_may_be_brought_back(story: Story, store: str) -> None:
    phone = new_phone()
    first = await story.join(store, wait="1s")
    second = await story.join(store, phone=phone)
    third = await story.join(store)
    await seat(story, first)
    await complete(story, first)
    await story.at_rest()
    marked = await story.staff.MarkOrderNoShow(staff.MarkOrderNoShowRequest(name=order_of(second)))
    assert marked.state == Order.NO_SHOW
    await becomes(story, second, state="NO_SHOW", closeReason="MARKED_NO_SHOW")
    await becomes(story, third, state="CALLED", table=f"{store}/tables/t1")

    restored = await story.staff.RestoreOrder(staff.RestoreOrderRequest(name=order_of(second)))
    assert (restored.state, restored.round) == (Order.ACCEPTED, 1)
    await becomes(story, second, state="WAITING", waitingNumber=1, partiesAhead=0)
    assert await story.told(phone) == ["NUMBERED", "CALLED", "NO_SHOW", "BACK_IN_LINE"]


async def test_a_party_may_let_another_go_first_twice(story: Story, store: str) -> None:
    holder, *waiting = [await story.join(store, wait="1s") for _ in range(4)]
    name = waiting[0]["name"]
    tried = await story.post(f"{name}:postpone", parties=1, validateOnly=True)
    assert tried.ok["partiesAhead"] == 1
    assert await story.get(name) == waiting[0]
    moved = (await story.post(f"{name}:postpone", parties=1)).ok
    assert (moved["partiesAhead"], moved["postponeCount"], moved["waitingNumber"]) == (1, 1, 1)
    moved = (await story.post(f"{name}:postpone", parties=1)).ok
    assert (moved["partiesAhead"], moved["postponeCount"]) == (2, 2)
    refused = await story.post(f"{name}:postpone", parties=1)
    assert refused.reason == "400 reception.tabling POSTPONE_LIMIT"
    await story.post(f"{holder['name']}:cancel")
    await becomes(story, waiting[1], state="CALLED")


async def test_a_party_is_told_once_that_its_turn_is_near(story: Story, store: str) -> None:
    phone = new_phone()
    await story.join(store, wait="1s")
    first, second, *_ = [await story.join(store) for _ in range(4)]
    await story.join(store, phone=phone)
    assert await story.told(phone) == ["NUMBERED"]
    for leaving in (first, second):
        await story.post(f"{leaving['name']}:cancel")
    assert await story.told(phone) == ["NUMBERED", "NEAR_TURN"]


async def test_a_walk_in_stands_in_the_same_line(story: Story, store: str) -> None:
    await story.join(store, wait="1s")
    await story.join(store)
    request = staff.RegisterWalkInRequest(parent=store, party_size=2)
    request.wait.FromSeconds(2)
    walk_in = await story.staff.RegisterWalkIn(request)
    assert (walk_in.walk_in, walk_in.state, walk_in.waiting_number) == (True, Order.ACCEPTED, 2)
    reception = await story.get(walk_in.reception)
    assert (reception["channel"], reception["state"], reception["partiesAhead"]) == ("WALK_IN", "WAITING", 1)


async def test_a_paused_store_takes_nobody_and_opens_again_by_itself(story: Story, store: str) -> None:
    request = staff.PauseStoreRequest(name=store)
    request.reopen_time.FromDatetime(datetime.now(UTC) + timedelta(seconds=4))
    assert (await story.staff.PauseStore(request)).state == Store.PAUSED

    async def refused() -> bool:
        return (await story.post(f"{store}/receptions", partySize=2)).reason == "400 reception.tabling LINE_PAUSED"

    await eventually(refused, seconds=3.9)

    async def reopened() -> bool:
        return bool((await story.staff.GetStore(staff.GetStoreRequest(name=store))).state == Store.OPEN)

    await eventually(reopened)
    await story.at_rest()
    assert (await story.join(store))["state"] == "REQUESTED"


async def test_a_store_that_closes_may_send_home_who_was_not_called(story: Story, store: str) -> None:
    phone = new_phone()
    called, waiting = await story.join(store, wait="1s"), await story.join(store, phone=phone)
    await story.staff.CloseStore(staff.CloseStoreRequest(name=store, send_everyone_home=True))
    await becomes(story, waiting, state="CANCELED", closeReason="STORE_CLOSED")
    assert await story.told(phone) == ["NUMBERED", "STORE_CLOSED"]
    assert (await story.get(called["name"]))["state"] == "CALLED"
    refused = await story.post(f"{store}/receptions", partySize=2)
    assert refused.reason == "400 reception.tabling STORE_CLOSED"


async def test_who_is_seated_in_one_store_leaves_the_other_lines(story: Story) -> None:
    stores = [await new_store(story, 2) for _ in range(4)]
    customer, phone = f"customers/{uuid.uuid4().hex}", new_phone()
    mine = [await story.join(store, customer=customer, phone=phone, wait="1s") for store in stores[:3]]
    fourth = await story.post(f"{stores[3]}/receptions", partySize=2, customer=customer)
    assert fourth.reason == "400 reception.tabling TOO_MANY_LINES"
    again = await story.post(f"{stores[0]}/receptions", partySize=2, customer=customer)
    assert again.reason == "409 reception.tabling ALREADY_IN_LINE"

    await seat(story, mine[1])
    for other in (mine[0], mine[2]):
        await becomes(story, other, state="CANCELED", closeReason="SEATED_ELSEWHERE")
    assert sorted(await story.told(phone)) == ["COME_IN"] * 3 + ["ELSEWHERE"] * 2
    listed = await story.get(f"stores/-/receptions?customer={customer}&states=SEATED")
    assert [reception["name"] for reception in listed["receptions"]] == [mine[1]["name"]]


async def test_a_watched_reception_shows_every_step_and_ends(story: Story, store: str) -> None:
    first, second = await story.join(store, wait="1s"), await story.join(store)
    steps = story.line.WatchReception(line.WatchReceptionRequest(name=second["name"]), timeout=10)

    async def next_state() -> str:
        return Reception.State.Name((await steps.read()).reception.state)

    assert await next_state() == "WAITING"
    await story.post(f"{first['name']}:cancel")
    assert await next_state() == "CALLED"
    await seat(story, second)
    assert await next_state() == "SEATED"
    await complete(story, second)
    assert await next_state() == "COMPLETED"
    assert await steps.read() is grpc.aio.EOF


async def test_a_json_caller_watches_the_place_in_line(story: Story, store: str) -> None:
    await story.join(store, wait="1s")
    first, second = await story.join(store), await story.join(store)
    async with story.lines(f"{second['name']}:watch") as lines:
        assert (await anext(lines))["reception"]["partiesAhead"] == 1
        await story.post(f"{first['name']}:cancel")
        assert (await anext(lines))["reception"]["partiesAhead"] == 0
        await story.post(f"{second['name']}:cancel")
        assert (await anext(lines))["reception"]["state"] == "CANCELED"
        assert [step async for step in lines] == []


async def test_board_figures_and_search_agree_with_what_happened(story: Story) -> None:
    store = await new_store(story, 2, 4)
    gone, sits, called = [await story.join(store, size, wait="1s") for size in (2, 4, 2)]
    await seat(story, sits)
    waits = await story.join(store, 3)
    await story.post(f"{called['name']}:cancel")
    await story.at_rest()

    board = await story.screens.GetStoreBoard(screens.GetStoreBoardRequest(name=f"{store}/board"))
    assert [(entry.reception, Reception.State.Name(entry.state)) for entry in board.entries] == [
        (gone["name"], "CALLED"),
        (waits["name"], "WAITING"),
        (sits["name"], "SEATED"),
    ]
    assert [table.reception for table in board.tables] == [gone["name"], sits["name"]]
    day = await story.get(f"{store}/figures/{sits['businessDay']}")
    assert (day["joined"], day["seated"], day["canceled"], day["noShows"]) == (4, 1, 1, 0)
    found = await story.get(f"storeViews:search?text={board.view.display_name}")
    [view] = found["storeViews"]
    assert (view["seatsRemaining"], view["partiesWaiting"], view["state"]) == (0, 1, "OPEN")


async def test_a_repeated_request_is_answered_again_and_done_once(story: Story, store: str) -> None:
    path = f"{store}/receptions?requestId={uuid.uuid4()}"
    first, again = (await story.post(path, partySize=2)).ok, (await story.post(path, partySize=2)).ok
    assert again["name"] == first["name"]
    assert (await story.post(path, partySize=1)).reason == "400 reception.tabling REQUEST_ID_REUSED"
    assert len((await story.get(f"{store}/receptions"))["receptions"]) == 1


async def test_who_sits_cannot_be_called_and_who_left_cannot_cancel(story: Story, store: str) -> None:
    joined = await story.join(store, wait="1s")
    await seat(story, joined)
    call = story.staff.CallOrder(staff.CallOrderRequest(name=order_of(joined)))
    assert await refusal(call) == "FAILED_PRECONDITION management.tabling ORDER_STATE_CONFLICT"
    await complete(story, joined)
    await becomes(story, joined, state="COMPLETED")
    refused = await story.post(f"{joined['name']}:cancel")
    assert refused.reason == "400 reception.tabling ALREADY_CLOSED"


async def test_the_old_paths_lead_to_the_same_things(story: Story, store: str) -> None:
    joined = (await story.post("/recepts", parent=store, reception={"partySize": 2})).ok
    await story.at_rest()
    assert [each["name"] for each in (await story.get(f"/recepts?parent={store}"))["receptions"]] == [joined["name"]]
    assert (await story.get(f"/seats/{store}/tables/t1"))["reception"] == joined["name"]
    assert (await story.get(f"/orderMngs/{order_of(joined)}"))["state"] == "CALLED"
    assert (await story.get(f"/orderlists/{store}/view"))["seatsRemaining"] == 0
    gone = (await story.ask("DELETE", f"/recepts/{joined['name']}")).ok
    assert gone["state"] == "CANCELED"


async def test_after_a_restart_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    phones = [new_phone(), new_phone()]
    async with running_system(tmp_path / "data") as system:
        async with story_of(system) as before:
            store = await new_store(before, 2)
            held = await before.join(store, phone=phones[0], wait="1s")
            waiting = await before.join(store, phone=phones[1])
            told = [await before.told(phone) for phone in phones]
        assert told == [["COME_IN"], ["NUMBERED"]]
        assert await system.stop() < 5

    async with running_system(tmp_path / "data", port=system.port) as system, story_of(system) as after:
        assert [await after.told(phone) for phone in phones] == told
        assert await after.get(held["name"]) == held
        assert (await after.join(store))["waitingNumber"] == 2
        await seat(after, held)
        await complete(after, held)
        await becomes(after, waiting, state="CALLED", table=f"{store}/tables/t1")
        assert await after.told(phones[1]) == ["NUMBERED", "CALLED"]
        assert await after.told(phones[0]) == ["COME_IN"]
