"""Notification as a whole: what parties are told, once each, and what the ledger says of it."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from services.chassis.addresses import free_port
from services.chassis.clock import ManualClock
from services.chassis.crash import EXIT_CODE
from services.chassis.testing import eventually
from tabling.notification.v1.notice_pb2 import Notice
from tabling.notification.v1.notification_service_pb2 import GetNoticeRequest, ListNoticesRequest
from tabling.reception.v1.reception_pb2 import Reception
from tests.component.notification_kit import (
    FIVE,
    NOON,
    STORE,
    Phonebook,
    Vendor,
    World,
    called,
    event,
    joined,
    phonebook_running,
    seated,
    states,
    vendor_running,
    world,
)
from tests.component.place import place
from tests.entitled import ENVIRONMENT

pytestmark = pytest.mark.every_database


async def test_a_party_that_joins_is_told_its_number_in_korean(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.store("강남 국밥")
        await here.tell(joined())
        notice = await here.until("r1-numbered-0", Notice.DELIVERED)
        assert await here.vendor.on_phone() == [notice.text]
        for words in ("[강남 국밥]", "대기번호: 17번", "앞 대기: 5팀", "약 15분", "인원: 2명"):
            assert words in notice.text
        assert notice.phone == "010-****-5678"
        assert notice.reception == f"{STORE}/receptions/r1"
        assert notice.vendor_reference
        assert notice.attempts == 1


async def test_a_party_is_told_in_english_when_it_wishes(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.store("Gangnam Soup")
        await here.tell(called(language_code="en"))
        notice = await here.until("r1-called-0", Notice.DELIVERED)
        assert "Number 17, please come in now." in notice.text
        assert "Table kept until: 12:05" in notice.text


async def test_times_are_told_by_the_clock_of_the_store(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.store(time_zone="America/New_York")
        await here.tell(called())
        assert "22:05까지" in (await here.until("r1-called-0", Notice.DELIVERED)).text


async def test_a_party_with_a_table_at_once_is_told_to_come_in(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.store()
        await here.tell(event("added", version=1, state=Reception.REQUESTED, promised=True))
        await here.tell(called(version=2, waiting_number=0, promised=True))
        notice = await here.until("r1-come-in-0", Notice.DELIVERED)
        assert "지금 바로 입장" in notice.text
        assert states(await here.notices()) == {"r1-come-in-0": "DELIVERED"}


async def test_a_party_is_told_of_every_step_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.store()
        for happening, id_ in (
            (joined(), "r1-numbered-0"),
            (event("neared", version=2, state=Reception.WAITING, near_turn=True), "r1-near-turn-0"),
            (called(version=3), "r1-called-0"),
            (event("closed", version=4, state=Reception.NO_SHOW), "r1-no-show-0"),
            (event("restored", version=5, state=Reception.WAITING, round=1), "r1-numbered-1"),
            (called(version=6, round=1), "r1-called-1"),
        ):
            await here.tell(happening)
            await here.tell(happening)
            await here.until(id_, Notice.DELIVERED)
        texts = await here.vendor.on_phone()
        assert len(texts) == 6
        assert "다시 대기 명단" in texts[4]
        await eventually(lambda: len(here.settled) == 6)


async def test_a_party_without_a_number_leaves_no_trace(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.tell(joined(has_contact=False))
        assert await here.notices() == []


@pytest.mark.parametrize(
    ("state", "reason", "id_", "words"),
    [
        (Reception.CANCELED, Reception.CUSTOMER_CANCELED, "r1-canceled-0", "요청하신 대로"),
        (Reception.CANCELED, Reception.STORE_CANCELED, "r1-canceled-0", "매장 사정으로"),
        (Reception.CANCELED, Reception.SEATED_ELSEWHERE, "r1-canceled-0", "다른 매장에 입장"),
        (Reception.CANCELED, Reception.STORE_CLOSED, "r1-store-closed-0", "영업이 끝나"),
        (Reception.REJECTED, Reception.STORE_DECLINED, "r1-declined-0", "접수를 받지 못했습니다"),
        (Reception.NO_SHOW, Reception.HOLD_EXPIRED, "r1-no-show-0", "입장이 확인되지 않아"),
    ],
)
async def test_a_party_is_told_why_it_was_closed(
    tmp_path: Path, state: Reception.State.ValueType, reason: Reception.CloseReason.ValueType, id_: str, words: str
) -> None:
    async with world(tmp_path) as here:
        await here.tell(event("closed", version=2, state=state, close_reason=reason, close_time=NOON))
        assert words in (await here.until(id_, Notice.DELIVERED)).text


async def test_what_became_untrue_before_it_was_sent_is_withheld(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.phonebook.gone = True
        await here.tell(joined(), called())
        await here.tell(seated())
        here.phonebook.gone = False
        for id_ in ("r1-numbered-0", "r1-called-0"):
            assert (await here.in_time(id_, Notice.WITHHELD)).failure == "STALE"
        assert await here.vendor.on_phone() == []


async def test_a_snapshot_that_comes_too_late_is_withheld_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.tell(called())
        await here.tell(joined())
        assert (await here.notice("r1-numbered-0")).state == Notice.WITHHELD
        await here.until("r1-called-0", Notice.DELIVERED)
        assert len(await here.vendor.on_phone()) == 1


async def test_a_call_is_not_sent_after_the_hold_has_run_out(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.phonebook.gone = True
        await here.tell(called())
        here.clock.advance(FIVE)
        here.phonebook.gone = False
        assert (await here.in_time("r1-called-0", Notice.WITHHELD)).failure == "EXPIRED"


async def test_a_party_whose_contact_is_gone_is_not_told(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.phonebook.phones["r1"] = ""
        await here.tell(joined("r1"), joined("r2"))
        assert (await here.until("r1-numbered-0", Notice.WITHHELD)).failure == "NO_CONTACT"
        await here.until("r2-numbered-0", Notice.DELIVERED)


async def test_many_notices_travel_in_few_requests(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.tell(*(joined(f"r{n}") for n in range(300)))
        await eventually(lambda: len(here.settled) == 300)
        assert sum(here.vendor.batches) == 300
        assert len(here.vendor.batches) <= 3
        assert len(here.phonebook.questions) <= 3


async def test_a_refused_number_fails_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.phonebook.phones = {"r1": "+8210x", "r2": "+821000003019"}
        await here.tell(*(joined(f"r{n}") for n in (1, 2, 3)))
        assert (await here.until("r1-numbered-0", Notice.FAILED)).failure == "RECIPIENT_INVALID"
        await here.until("r3-numbered-0", Notice.DELIVERED)


async def test_one_that_spoils_the_whole_request_is_found(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.phonebook.phones = {"r3": "+821012345678901234567890"}
        await here.tell(*(joined(f"r{n}") for n in range(8)))
        assert (await here.until("r3-numbered-0", Notice.FAILED)).failure == "REFUSED"
        for n in (0, 1, 2, 4, 5, 6, 7):
            await here.until(f"r{n}-numbered-0", Notice.DELIVERED)


async def test_one_that_makes_the_vendor_stumble_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.phonebook.phones = {"r3": "+821000000500"}
        await here.tell(*(joined(f"r{n}") for n in range(8)))
        for n in (0, 1, 2, 4, 5, 6, 7):
            await here.in_time(f"r{n}-numbered-0", Notice.DELIVERED)
        assert (await here.notice("r3-numbered-0")).state == Notice.PENDING
        here.clock.advance(FIVE * 6)
        assert (await here.in_time("r3-numbered-0", Notice.WITHHELD)).failure == "EXPIRED"


async def test_templates_are_registered_again_when_the_vendor_forgot_them(tmp_path: Path) -> None:
    clock, port = ManualClock(NOON), free_port()
    async with AsyncExitStack() as first:
        vendor = await first.enter_async_context(vendor_running(Vendor(clock), port))
        async with world(tmp_path, clock, vendor=vendor) as here:
            await here.tell(joined("r1"))
            await here.until("r1-numbered-0", Notice.DELIVERED)
            await first.aclose()
            async with vendor_running(vendor, port):
                await here.tell(joined("r2"))
                await here.in_time("r2-numbered-0", Notice.DELIVERED)
                assert len(await vendor.on_phone()) == 1


@pytest.mark.parametrize("mood", ["broken", "busy", "babbling", "odd"])
async def test_an_outage_of_the_vendor_delays_notices_and_nothing_else(tmp_path: Path, mood: str) -> None:
    async with world(tmp_path) as here:
        here.vendor.mood = mood
        async with asyncio.timeout(20):
            await here.tell(*(joined(f"r{n}") for n in range(50)))
        await here.tried("r1-numbered-0")
        here.vendor.mood = "well"
        for n in range(50):
            await here.in_time(f"r{n}-numbered-0", Notice.DELIVERED)
        assert len(await here.vendor.on_phone()) == 50


async def test_an_answer_that_was_lost_does_not_make_a_second_message(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.vendor.mood = "deaf"
        await here.tell(joined())
        await here.tried("r1-numbered-0")
        here.vendor.mood = "well"
        notice = await here.in_time("r1-numbered-0", Notice.DELIVERED)
        assert notice.vendor_reference
        assert len(await here.vendor.on_phone()) == 1


async def test_nothing_is_sent_twice_when_the_vendor_no_longer_knows_the_key(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.vendor.mood = "deaf"
        await here.tell(joined())
        await here.tried("r1-numbered-0")
        here.clock.advance(FIVE * 3)
        here.vendor.mood = "well"
        await here.in_time("r1-numbered-0", Notice.DELIVERED)
        assert len(await here.vendor.on_phone()) == 1


async def test_what_arrived_although_no_answer_came_is_not_called_withheld(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.vendor.mood = "deaf"
        await here.tell(called())
        await here.tried("r1-called-0")
        await here.tell(seated())
        here.vendor.mood = "well"
        await here.in_time("r1-called-0", Notice.DELIVERED)


async def test_notices_left_by_a_process_that_died_are_sent_by_the_next(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with world(tmp_path, clock, vendor_url=f"http://127.0.0.1:{free_port()}") as here:
        await here.tell(joined("r1"), joined("r2"))
        await here.tried("r1-numbered-0")
    clock.advance(FIVE)
    async with world(tmp_path, clock) as here:
        await here.until("r1-numbered-0", Notice.DELIVERED)
        await here.until("r2-numbered-0", Notice.DELIVERED)


async def test_a_process_that_dies_between_sending_and_writing_it_down_sends_nothing_twice(tmp_path: Path) -> None:
    clock = ManualClock(datetime.now(UTC))
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(vendor_running(Vendor(clock)))
        target = await stack.enter_async_context(phonebook_running(Phonebook()))
        async with world(tmp_path, clock, vendor_url=f"http://127.0.0.1:{free_port()}") as here:
            await here.tell(joined("r1"), joined("r2"))
            await here.tried("r2-numbered-0")
        assert await _run_until_it_dies(tmp_path, vendor.url, target) == EXIT_CODE
        assert len(await vendor.on_phone()) == 2
        clock.advance(FIVE)
        async with world(tmp_path, clock, vendor=vendor) as here:
            assert (await here.until("r1-numbered-0", Notice.DELIVERED)).vendor_reference
            await here.until("r2-numbered-0", Notice.DELIVERED)
        assert len(await vendor.on_phone()) == 2


async def test_what_a_process_sent_before_it_died_stays_in_doubt_until_the_vendor_is_back(tmp_path: Path) -> None:
    clock = ManualClock(datetime.now(UTC))
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(vendor_running(Vendor(clock)))
        target = await stack.enter_async_context(phonebook_running(Phonebook()))
        async with world(tmp_path, clock, vendor_url=f"http://127.0.0.1:{free_port()}") as here:
            await here.tell(called(at=clock.now()))
            await here.tried("r1-called-0")
        assert await _run_until_it_dies(tmp_path, vendor.url, target) == EXIT_CODE
        vendor.mood = "busy"
        clock.advance(FIVE / 2)
        async with world(tmp_path, clock, vendor=vendor) as here:
            await eventually(lambda: _attempts(here, "r1-called-0", 2))
            await here.tell(seated())
            vendor.mood = "well"
            await here.in_time("r1-called-0", Notice.DELIVERED)
        assert len(await vendor.on_phone()) == 1


async def _attempts(here: World, notice_id: str, wanted: int) -> bool:
    return (await here.notice(notice_id)).attempts >= wanted


async def _run_until_it_dies(folder: Path, kakao_url: str, reception: str) -> int:
    environment = ENVIRONMENT | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TABLING_DATABASE": place(folder, "notification"),
        "TABLING_KAKAO_URL": kakao_url,
        "TABLING_RECEPTION_TARGET": reception,
        "TABLING_NOTIFICATION_LISTEN": "127.0.0.1:0",
        "TABLING_CRASH": "sender.after_send:1",
    }
    command = (sys.executable, "-m", "services.notification")
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(20):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


async def test_the_vendor_may_start_later(tmp_path: Path) -> None:
    port = free_port()
    # it stays until nobody asks it any more: of what it has just accepted when it ends, aiohttp does not let go
    async with AsyncExitStack() as stay, world(tmp_path, vendor_url=f"http://127.0.0.1:{port}") as here:
        await here.tell(joined())
        await here.tried("r1-numbered-0")
        await stay.enter_async_context(vendor_running(Vendor(here.clock), port))
        await here.in_time("r1-numbered-0", Notice.DELIVERED)


async def test_the_ledger_is_listed_newest_first_in_pages(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        for n in range(5):
            await here.tell(joined(f"r{n}"))
            here.clock.advance(FIVE)
        seen: list[str] = []
        token = ""
        while True:
            page = await here.stub.ListNotices(ListNoticesRequest(page_size=2, page_token=token))
            seen += [notice.name for notice in page.notices]
            token = page.next_page_token
            if not token:
                break
        assert seen == [f"notices/r{n}-numbered-0" for n in (4, 3, 2, 1, 0)]


async def test_the_ledger_is_filtered_by_reception_and_state(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.tell(called("r1"), joined("r1"), joined("r10"))
        await here.until("r1-called-0", Notice.DELIVERED)
        await here.until("r10-numbered-0", Notice.DELIVERED)
        mine = await here.notices(reception=f"{STORE}/receptions/r1")
        assert states(mine) == {"r1-called-0": "DELIVERED", "r1-numbered-0": "WITHHELD"}
        assert states(await here.notices(states=[Notice.WITHHELD])) == {"r1-numbered-0": "WITHHELD"}
        assert await here.notices(reception="stores/other/receptions/r1") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page_size": -1}, "page_size"),
        ({"page_token": "x"}, "page_token"),
        ({"reception": "receptions/r1"}, "reception"),
        ({"states": [99]}, "states"),
        ({"states": [0]}, "states"),
    ],
)
async def test_a_wrong_question_names_its_field(tmp_path: Path, query: dict[str, object], field: str) -> None:
    async with world(tmp_path) as here:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await here.notices(**query)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert field in _fields(caught.value)


def _fields(error: grpc.aio.AioRpcError) -> list[str]:
    raw = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(raw, bytes)
    bad = error_details_pb2.BadRequest()
    return [v.field for d in status_pb2.Status.FromString(raw).details if d.Unpack(bad) for v in bad.field_violations]


@pytest.mark.parametrize("name", ["notices/", "notices/none", "notice/r1", "notices/../x", "notices/%00"])
async def test_an_unknown_notice_is_not_found(tmp_path: Path, name: str) -> None:
    async with world(tmp_path) as here:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await here.stub.GetNotice(GetNoticeRequest(name=name))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_what_parties_were_told_is_forgotten_after_three_months(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.store()
        await here.tell(called(id_="r1"))
        await here.until("r1-called-0", Notice.DELIVERED)
        here.clock.advance(timedelta(days=60))
        await here.tell(called(id_="r2", at=here.clock.now()))
        await here.until("r2-called-0", Notice.DELIVERED)
        assert states(await here.notices()).keys() == {"r1-called-0", "r2-called-0"}
        here.clock.advance(timedelta(days=31))
        await eventually(partial(only_one_left, here, "r2-called-0"))


async def only_one_left(here: World, id_: str) -> bool:
    assert states(await here.notices()).keys() == {id_}
    return True
