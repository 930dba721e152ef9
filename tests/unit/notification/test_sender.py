"""The sender and its ledger."""

import asyncio
from collections.abc import Container, Sequence
from contextlib import suppress
from datetime import timedelta

from services.chassis.clock import ManualClock
from services.chassis.kernel import StorageBusy
from services.chassis.telemetry import Telemetry
from services.chassis.testing import eventually
from services.notification.application.courier import Courier, Newest
from services.notification.application.notifier import (
    Capabilities,
    Channel,
    Delivery,
    Notification,
    Status,
    Submission,
)
from services.notification.application.settle_notices import Finding
from services.notification.domain.notice import Notice, Reason
from services.notification.domain.outcome import Outcome
from services.notification.domain.purpose import ReceptionState
from services.notification.entrypoints.reports import Reports
from services.notification.entrypoints.sender import Sender
from tests.unit.notification.making import NOON, notice


class Vendor:
    """Delivers everything, and counts."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, batch: Sequence[Notification]) -> list[Submission]:
        self.sent += [notification.id for notification in batch]
        return [Submission(each.id, Status.ACCEPTED, Outcome.DELIVERED, "") for each in batch]

    async def result(self, notification_id: str) -> Delivery:
        return Delivery(notification_id, Channel.KAKAO, None, "")

    def capabilities(self) -> Capabilities:
        return Capabilities(
            vendor="test",
            batch_max=100,
            named_variables=True,
            native_fallback=False,
            accepted_is_delivered=True,
            idempotency_window=timedelta(minutes=10),
        )


class Phonebook:
    """Everybody has the same number."""

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        return {reception_id: "+821012345678" for _, reception_id in receptions}


class Ledger:
    """Holds one notice, and can be written to only now and then."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.settled: list[tuple[Notice, Finding]] = []
        self.lost = False

    async def take_up(self, limit: int, without: Container[str]) -> list[Notice]:
        return [] if self.settled or self.lost or "r1-called-0" in without else [notice()]

    async def keep(self, notices: Sequence[Notice]) -> list[Notice]:
        return [] if self.lost else [*notices]

    async def newest(self, notices: Sequence[Notice]) -> Newest:
        return {each.reception_id: (ReceptionState.CALLED, 0) for each in notices}

    async def settle(self, findings: Sequence[tuple[Notice, Finding]]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StorageBusy("locked")
        self.settled += findings


class Budgets:
    """There is enough for everything, or for nothing."""

    def __init__(self, left: bool = True) -> None:
        self.left = left

    async def spend(self, notices: Sequence[tuple[Notice, str]]) -> dict[str, Reason]:
        return {} if self.left else {notice.id: Reason.STORE_LIMIT for notice, _ in notices}


async def test_what_was_sent_is_kept_in_hand_until_it_can_be_written_down() -> None:
    clock, ledger, vendor = ManualClock(NOON), Ledger(refusals=3), Vendor()
    sending = asyncio.create_task(
        Sender(ledger, Budgets(), clock, Reports(Telemetry())).serve(Courier(vendor, Phonebook()))
    )

    def settled() -> bool:
        clock.advance(timedelta(seconds=1))
        return bool(ledger.settled)

    await eventually(settled)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    assert vendor.sent == ["r1-called-0"]


async def test_what_somebody_else_has_taken_up_is_not_sent() -> None:
    clock, ledger, vendor = ManualClock(NOON), Ledger(refusals=0), Vendor()
    ledger.lost = True
    sender = Sender(ledger, Budgets(), clock, Reports(Telemetry()))
    sending = asyncio.create_task(sender.serve(Courier(vendor, Phonebook())))
    sender.hand_over([notice()])
    # it is out of its hands once it takes the same notice again
    await eventually(lambda: sender.hand_over([notice()]) == 1)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    assert vendor.sent == []
