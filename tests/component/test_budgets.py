"""Budgets: nobody makes a store pay for more messages than it would send, or has a phone flooded."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.chassis.clock import ManualClock
from services.chassis.limits import Limits
from services.chassis.testing import eventually
from services.notification.adapters.budgets import SqlBudgets
from services.notification.adapters.tables import budgets
from services.notification.domain.notice import Reason
from tabling.notification.v1.notice_pb2 import Notice
from tests.component.notification_kit import NOON, World, called, joined, world
from tests.component.rounds import some_rounds_later
from tests.component.test_notice_ledger import address, processes  # noqa: F401 - a fixture
from tests.unit.notification.making import notice

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ROOM = Limits(most_notices_of_phone_in_ten_minutes=1000, most_notices_of_phone_a_day=1000)


async def ends(here: World) -> Counter[str]:
    """What became of all notices, once nothing more will."""

    async def settled() -> Counter[str]:
        found = await here.notices(page_size=500)
        assert not any(each.state in (Notice.PENDING, Notice.SENT) for each in found), found
        return Counter(each.failure or Notice.State.Name(each.state) for each in found)

    told = await eventually(settled)
    assert isinstance(told, Counter)
    return told


async def test_a_phone_gets_three_messages_in_ten_minutes_and_is_called_all_the_same(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits()) as here:
        for n in range(5):
            await here.tell(joined(f"r{n}"))
            await ends(here)
        assert await ends(here) == {"DELIVERED": 3, "PHONE_LIMIT": 2}
        withheld = await here.notice("r4-numbered-0")
        assert (withheld.state, withheld.failure) == (Notice.WITHHELD, "PHONE_LIMIT")
        await here.tell(called("r4"))
        await here.until("r4-called-0", Notice.DELIVERED)
        assert len(await here.vendor.on_phone()) == 4
        here.phonebook.phones["r5"] = "+821087654321"
        await here.tell(joined("r5"))
        await here.until("r5-numbered-0", Notice.DELIVERED)
        here.clock.advance(10 * MINUTE)
        await here.tell(joined("r6"))
        await here.until("r6-numbered-0", Notice.DELIVERED)


async def test_a_phone_gets_ten_messages_a_day(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits()) as here:
        for n in range(12):
            await here.tell(joined(f"r{n}"))
            await ends(here)
            here.clock.advance(10 * MINUTE)
        assert await ends(here) == {"DELIVERED": 10, "PHONE_LIMIT": 2}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(most_notices_of_block_a_day=3), "BLOCK_LIMIT"),
        (Limits(most_notices_of_store_a_day=3), "STORE_LIMIT"),
    ],
)
async def test_many_phones_do_not_make_a_store_pay_for_more(tmp_path: Path, limits: Limits, reason: str) -> None:
    async with world(tmp_path, limits=limits) as here:
        here.phonebook.phones = {f"r{n}": f"+8210123456{n:02}" for n in range(8)}
        await here.tell(*(joined(f"r{n}") for n in range(8)))
        assert await ends(here) == {"DELIVERED": 3, reason: 5}
        await here.tell(called("r7"))
        await here.until("r7-called-0", Notice.DELIVERED)
        here.phonebook.phones["r8"] = "+821043211234"
        await here.tell(joined("r8"))
        elsewhere = await eventually(lambda: _end_of(here, "r8-numbered-0"))
        assert elsewhere == ("DELIVERED" if reason == "BLOCK_LIMIT" else reason)
        here.clock.advance(DAY / 3)
        await here.tell(joined("r0", version=2, round=1))
        await here.until("r0-numbered-1", Notice.DELIVERED)


async def _end_of(here: World, notice_id: str) -> str:
    found = await here.notice(notice_id)
    return found.failure or Notice.State.Name(found.state) if found.state != Notice.PENDING else ""


async def test_a_notice_that_is_tried_again_is_paid_for_once(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(most_notices_of_store_a_day=2)) as here:
        here.vendor.mood = "broken"
        await here.tell(joined("r1"))
        await here.tried("r1-numbered-0")
        for _ in range(3):
            here.clock.advance(timedelta(seconds=30))
            await here.tried("r1-numbered-0")
        here.vendor.mood = "well"
        await here.in_time("r1-numbered-0", Notice.DELIVERED)
        await here.tell(joined("r2"), joined("r3"))
        assert await ends(here) == {"DELIVERED": 2, "STORE_LIMIT": 1}


async def test_what_is_not_sent_costs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(most_notices_of_store_a_day=1)) as here:
        await here.tell(called("r1"))
        await here.tell(joined("r1"))
        here.phonebook.phones["r2"] = ""
        await here.tell(joined("r2"))
        await here.tell(joined("r3"))
        assert await ends(here) == {"STALE": 1, "NO_CONTACT": 1, "DELIVERED": 2}


async def test_several_processes_spend_one_budget(address: str) -> None:  # noqa: F811
    clock = ManualClock(NOON)
    limits = Limits(most_notices_of_store_a_day=40, most_notices_of_block_a_day=60)
    async with processes(address, clock, 3, limits) as all_of_them:
        spenders = [SqlBudgets(each.frame) for each in all_of_them]
        bills: list[list[tuple[Any, str]]] = [
            [(notice(id=f"r{n}-called-0", store_id=f"s{n % 2}"), f"+8210{n // 2 % 2:04}{n:04}") for n in some]
            for some in (range(0, 100), range(50, 150), range(0, 150, 3))
        ]
        parts = [
            (spender, some[start : start + 7])
            for spender, some in zip(spenders * 2, bills + bills[::-1], strict=True)
            for start in range(0, len(some), 7)
        ]
        answers = await asyncio.gather(*(spender.spend(part) for spender, part in parts))
        refused = {id_: reason for answer in answers for id_, reason in answer.items()}
        asked = {each.id for _, part in parts for each, _ in part}
        paid = asked - refused.keys()
        for (_, part), answer in zip(parts, answers, strict=True):
            assert answer.keys() == {each.id for each, _ in part} & refused.keys()
        assert len(paid) == 80
        assert set(refused.values()) == {Reason.STORE_LIMIT}


async def test_of_a_phone_and_its_block_only_hashes_are_kept_and_those_for_a_day(tmp_path: Path) -> None:
    async with world(tmp_path, limits=ROOM) as here:
        await here.tell(joined("r1"))
        await here.until("r1-numbered-0", Notice.DELIVERED)
        database = here.service.frame.database

        async def keys() -> list[str]:
            return await database.read(lambda c: [*c.execute(select(budgets.c.id).order_by(budgets.c.id)).scalars()])

        block, phone, store = await keys()
        assert store == "plain/store/gangnam"
        assert [len(block), len(phone)] == [len("plain/block/") + 64, len("plain/phone/") + 64]

        async def are_gone() -> bool:
            return not await keys()

        here.clock.advance(DAY)
        await some_rounds_later(here.clock, are_gone)
