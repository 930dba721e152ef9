"""The ledger that several processes work on: nobody sends what another one has in hand."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

import pytest

from scripts.bench.roomy import ROOMY
from services.chassis.clock import ManualClock
from services.chassis.kernel import Stale
from services.chassis.limits import Limits
from services.chassis.migrate import migrate
from services.chassis.service import Frame
from services.chassis.settings import Settings
from services.chassis.telemetry import Telemetry
from services.chassis.testing import eventually
from services.notification.adapters.budgets import SqlBudgets
from services.notification.adapters.ledger import SqlLedger
from services.notification.adapters.tables import metadata
from services.notification.adapters.unit_of_work import NotificationUnitOfWork
from services.notification.application.courier import Courier
from services.notification.application.notifier import Notification, Submission
from services.notification.domain.notice import ATTEMPT, LEASE, Notice
from services.notification.domain.outcome import Outcome, Report
from services.notification.domain.purpose import ReceptionState
from services.notification.domain.reception import Reception
from services.notification.entrypoints.reports import Reports
from services.notification.entrypoints.sender import Sender
from tests.conftest import Kind
from tests.entitled import KEYS
from tests.unit.notification.making import DELIVERED, NOON, notice
from tests.unit.notification.test_sender import Phonebook, Vendor

SECOND = timedelta(seconds=1)


class Process(NamedTuple):
    """One of those that work on a ledger."""

    frame: Frame[NotificationUnitOfWork]
    ledger: SqlLedger

    async def decide(self, *ids: str) -> list[Notice]:
        """Decide on notices, as the consumer does."""

        def work(uow: NotificationUnitOfWork) -> list[Notice]:
            for id_ in ids:
                uow.receptions.save(Reception(id=id_, state=ReceptionState.CALLED, round=0))
                due = uow.now + LEASE
                uow.notices.add(notice(id=f"{id_}-called-0", reception_id=id_, version=0, next_attempt_at=due))
            return uow.decided

        return await self.frame.lane.run(work)

    async def take_up(self) -> dict[str, Notice]:
        return {each.id: each for each in await self.ledger.take_up(100, ())}


@asynccontextmanager
async def processes(
    address: str, clock: ManualClock, count: int = 2, limits: Limits = ROOMY
) -> AsyncIterator[list[Process]]:
    """Some that work on one ledger."""
    await asyncio.to_thread(migrate, "notification", address)
    settings = Settings("notification", "127.0.0.1:0", address, {}, keys=KEYS, limits=limits)
    async with AsyncExitStack() as stack:
        frames = [Frame(settings, clock, metadata, NotificationUnitOfWork) for _ in range(count)]
        for frame in frames:
            stack.push_async_callback(frame.close)
            stack.callback(asyncio.create_task(frame.lane.serve()).cancel)
        yield [Process(frame, SqlLedger(frame)) for frame in frames]


@pytest.fixture(params=["postgresql", "mariadb"])
def address(request: pytest.FixtureRequest, fresh_database: Callable[[Kind], str]) -> str:
    """An empty database that can be shared."""
    return fresh_database(request.param)


async def test_who_has_the_ledger_to_itself_takes_up_what_an_earlier_process_left_at_once(
    fresh_database: Callable[[Kind], str],
) -> None:
    address, clock = fresh_database("sqlite"), ManualClock(NOON)
    async with processes(address, clock, 1) as (process,):
        await process.decide("r1")
    clock.advance(SECOND)
    async with processes(address, clock, 1) as (process,):
        assert (await process.take_up())["r1-called-0"].doubtful
        assert await process.take_up() == {}


async def test_whoever_decided_on_a_notice_has_it_first(address: str) -> None:
    clock = ManualClock(NOON)
    async with processes(address, clock) as (one, other):
        await one.decide("r1")
        clock.advance(LEASE - SECOND)
        assert await one.take_up() == await other.take_up() == {}
        clock.advance(SECOND)
        # who decided on it is not heard of: it may have been sent
        assert (await other.take_up())["r1-called-0"].doubtful
        assert await one.take_up() == {}


async def test_what_is_left_over_is_taken_up_by_one_alone(address: str) -> None:
    clock = ManualClock(NOON)
    async with processes(address, clock, 3) as (one, *others):
        await one.decide(*(f"r{n}" for n in range(50)))
        clock.advance(LEASE)
        taken = [each async for each in _all_at_once([one, *others])]
        assert Counter(id_ for ids in taken for id_ in ids) == {f"r{n}-called-0": 1 for n in range(50)}


async def _all_at_once(these: Sequence[Process]) -> AsyncIterator[dict[str, Notice]]:
    for taken in await asyncio.gather(*(process.take_up() for process in these)):
        yield taken


async def test_what_one_that_died_had_in_hand_is_taken_up_by_another_and_may_have_arrived(address: str) -> None:
    clock = ManualClock(NOON)
    async with processes(address, clock) as (one, other):
        (fresh,) = await one.decide("r1")
        await one.ledger.settle([(fresh, Report(Outcome.TRANSIENT))])
        clock.advance(LEASE)
        # the last attempt came to nothing, and everybody knows
        assert not (await one.take_up())["r1-called-0"].doubtful
        clock.advance(LEASE - SECOND)
        assert await other.take_up() == {}
        clock.advance(SECOND)
        assert (await other.take_up())["r1-called-0"].doubtful


async def test_an_attempt_that_nobody_waits_for_any_more_is_not_begun(address: str) -> None:
    clock = ManualClock(NOON)
    async with processes(address, clock) as (one, other):
        mine, lost = await one.decide("r1", "r2")
        assert await one.ledger.keep([mine, lost]) == [mine, lost]
        clock.advance(LEASE - ATTEMPT + SECOND)
        (kept,) = await one.ledger.keep([mine])
        clock.advance(ATTEMPT)
        assert list(await other.take_up()) == [lost.id]
        (kept,) = await one.ledger.keep([kept, lost])
        assert not kept.doubtful
        with pytest.raises(Stale):
            await one.ledger.settle([(lost, DELIVERED)])
        await one.ledger.settle([(kept, DELIVERED)])


class SlowVendor(Vendor):
    """Takes its time, in which others may look for work."""

    async def send(self, batch: Sequence[Notification]) -> list[Submission]:
        await asyncio.sleep(0.02)
        return await super().send(batch)


async def test_several_senders_send_every_notice_once(address: str) -> None:
    clock, vendor = ManualClock(NOON), SlowVendor()
    async with processes(address, clock, 3) as all_of_them, AsyncExitStack() as stack:
        reports = Reports(Telemetry())
        senders = [Sender(each.ledger, SqlBudgets(each.frame), clock, reports) for each in all_of_them]
        senders[0].hand_over(await all_of_them[0].decide(*(f"hot{n}" for n in range(50))))
        await all_of_them[1].decide(*(f"cold{n}" for n in range(200)))
        for sender in senders:
            stack.callback(asyncio.create_task(sender.serve(Courier(vendor, Phonebook()))).cancel)

        def sent() -> bool:
            clock.advance(SECOND / 10)
            return len(vendor.sent) >= 250

        await eventually(sent, seconds=20)
    assert max(Counter(vendor.sent).values()) == 1
