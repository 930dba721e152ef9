"""The courier: what one attempt comes to."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.notification.application import courier as module
from services.notification.application.courier import QUESTIONS_AT_ONCE, Courier, Newest
from services.notification.application.notifier import Channel, Delivery, Notification, Status, Submission
from services.notification.domain.notice import Notice
from services.notification.domain.outcome import Outcome, Report
from services.notification.domain.purpose import ReceptionState
from tests.unit.notification.making import NOON, notice
from tests.unit.notification.test_sender import Phonebook, Vendor

LATER = NOON + timedelta(minutes=20)
CALLS = 50


class Busy(Vendor):
    """Says of each that it arrived, and takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def result(self, notification_id: str) -> Delivery:
        self.asked.append(notification_id)
        await asyncio.sleep(0.01)
        return Delivery(notification_id, Channel.KAKAO, Outcome.DELIVERED, "")


class Repeated(Busy):
    """Has had everything before."""

    async def send(self, batch: Sequence[Notification]) -> list[Submission]:
        return [Submission(each.id, Status.DUPLICATE, Outcome.DUPLICATE, "") for each in batch]


def calls(name: str, count: int = 1, **facts: Any) -> list[Notice]:
    """Notices of parties that are called."""
    until = LATER + timedelta(minutes=5)
    return [notice(id=f"{name}{n}", reception_id=f"r-{name}{n}", expire_at=until, **facts) for n in range(count)]


async def delivered(vendor: Vendor, batch: Sequence[Notice], asking: bool) -> dict[str, Outcome]:
    """Outcomes of one attempt, by notice."""
    newest: Newest = {each.reception_id: (ReceptionState.CALLED, 0) for each in batch}
    taken = Courier(vendor, phonebook := Phonebook())
    phones = await phonebook.look_up([(each.store_id, each.reception_id) for each in batch])
    findings = await taken.deliver(batch, phones, newest, LATER, asking=asking)
    return {id_: found.outcome for id_, found in findings.items() if isinstance(found, Report)}


async def test_what_must_be_asked_about_does_not_travel_with_what_can_be_sent() -> None:
    vendor = Busy()
    batch = calls("old", doubtful=True) + calls("fresh", created_at=LATER)
    assert await delivered(vendor, batch, asking=False) == {"fresh0": Outcome.DELIVERED}
    assert (vendor.sent, vendor.asked) == (["fresh0"], [])


async def test_a_slow_vendor_is_asked_less_in_an_attempt_and_all_it_says_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LAST_QUESTION", timedelta(milliseconds=35))
    vendor = Busy()
    found = await delivered(vendor, calls("old", CALLS, doubtful=True), asking=True)
    assert QUESTIONS_AT_ONCE <= len(found) < CALLS
    assert sorted(found) == sorted(vendor.asked)
    assert set(found.values()) == {Outcome.DELIVERED}


async def test_of_many_repetitions_most_are_asked_about_later() -> None:
    vendor = Repeated()
    found = await delivered(vendor, calls("again", CALLS, created_at=LATER), asking=False)
    told = [id_ for id_, outcome in found.items() if outcome is Outcome.DELIVERED]
    assert (len(found), len(told)) == (CALLS, QUESTIONS_AT_ONCE)
    assert sorted(told) == sorted(vendor.asked)


async def test_requests_that_an_attempt_has_no_time_to_begin_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_GROUP", -timedelta(seconds=1))
    vendor = Busy()
    assert await delivered(vendor, calls("fresh", created_at=LATER), asking=False) == {}
    assert vendor.sent == []
