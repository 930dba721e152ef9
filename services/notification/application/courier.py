"""The courier: takes a batch of notices to the vendor and brings back what became of each."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from services.notification.application.notifier import Contacts, Delivery, Notification, Notifier, Submission
from services.notification.application.settle_notices import Finding
from services.notification.domain.notice import ATTEMPT, Notice, Reason, State
from services.notification.domain.outcome import OUTAGE, Outcome, Report
from services.notification.domain.phone import masked
from services.notification.domain.purpose import ReceptionState

Newest = Mapping[str, tuple[ReceptionState, int]]
"""State and round of receptions by id, as known now."""

REQUESTS_AT_ONCE = 8
QUESTIONS_AT_ONCE = 4
"""How many of the requests may be questions: there is always room to send."""

LAST_QUESTION = ATTEMPT / 5
"""No question begins later than this in an attempt, for what comes of it may have to be sent yet."""
LAST_GROUP = ATTEMPT / 2
"""No request to send begins later than this in an attempt. Whatever began has time to end."""

GROUP_BY_ATTEMPTS = (1000, 50, 1)
"""How many travel together, by failed attempts: one that makes the vendor stumble must not take others along."""


class Courier:
    """Knows the vendor and where parties can be reached; decides nothing about notices."""

    def __init__(self, notifier: Notifier, contacts: Contacts) -> None:
        self._notifier = notifier
        self._contacts = contacts
        self._can = notifier.capabilities()
        self._slots = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._questions = asyncio.Semaphore(QUESTIONS_AT_ONCE)
        self.batch_max = self._can.batch_max

    async def look_up(self, batch: Sequence[Notice]) -> Mapping[str, str]:
        """Phone numbers of the notices' receptions, in one question. Raises `ContactsUnavailable`."""
        return await self._contacts.look_up([(notice.store_id, notice.reception_id) for notice in batch])

    async def deliver(
        self,
        batch: Sequence[Notice],
        phones: Mapping[str, str],
        newest: Newest,
        now: datetime,
        *,
        asking: bool = True,
    ) -> dict[str, Finding]:
        """Send what is still true and in time; ask first about what may have arrived already, if `asking`.

        There is no finding of what must be asked about while not `asking`, nor of what there was no time to begin:
        with that nothing was done. A slow vendor is told and asked less in an attempt, and all it says counts.
        """
        began = asyncio.get_running_loop().time()
        reasons = {notice.id: notice.why_withhold(*newest[notice.reception_id], now) for notice in batch}
        to_ask = [notice for notice in batch if self._must_ask(notice, reasons[notice.id], now)]
        answers = await self._ask([notice.id for notice in to_ask], began) if asking else {}
        left = {notice.id for notice in to_ask} - answers.keys()
        findings: dict[str, Finding] = {}
        to_send = []
        for notice in batch:
            reason, answer = reasons[notice.id], answers.get(notice.id)
            if answer and (answer.outcome or (notice.state is State.SENT and not reason)):
                findings[notice.id] = self._report(answer, "")
            elif notice.id not in left and reason:
                findings[notice.id] = reason
            elif notice.id not in left:
                to_send.append(notice)
        findings |= await self._send(to_send, phones, began, len(batch) if asking else QUESTIONS_AT_ONCE)
        doubtful = {notice.id for notice in batch if notice.doubtful}
        return {id_: _still_doubtful(finding) if id_ in doubtful else finding for id_, finding in findings.items()}

    def _must_ask(self, notice: Notice, reason: Reason | None, now: datetime) -> bool:
        """Whether it may have arrived, and sending it again is no way to find out."""
        forgotten = now >= notice.created_at + self._can.idempotency_window
        return notice.state is State.SENT or (notice.doubtful and (reason is not None or forgotten))

    async def _send(
        self, notices: Sequence[Notice], phones: Mapping[str, str], began: float, most_questions: int
    ) -> dict[str, Finding]:
        findings: dict[str, Finding] = {n.id: Reason.NO_CONTACT for n in notices if not phones.get(n.reception_id)}
        known = [notice for notice in notices if notice.id not in findings]
        answers = await asyncio.gather(*(self._hand_over(group, phones, began) for group in _groups(known)))
        submissions = {s.id: s for answer in answers for s in answer}
        seen = {n.id: masked(phones[n.reception_id]) for n in known}
        findings |= {s.id: self._report(s, seen[s.id]) for s in submissions.values()}
        # what became of the others is asked later: with the vendor they are
        twice = [id_ for id_, s in submissions.items() if s.outcome is Outcome.DUPLICATE][:most_questions]
        found = [delivery for delivery in (await self._ask(twice, began)).values() if delivery.outcome is not None]
        return findings | {d.id: self._report(d, seen[d.id]) for d in found}

    async def _hand_over(
        self, notices: Sequence[Notice], phones: Mapping[str, str], began: float
    ) -> Sequence[Submission]:
        async with self._slots:
            if _is_over(LAST_GROUP, began):
                return ()
            return await self._notifier.send([_notification(n, phones[n.reception_id]) for n in notices])

    async def _ask(self, ids: Sequence[str], began: float) -> dict[str, Delivery]:
        answers = await asyncio.gather(*(self._result(id_, began) for id_ in ids))
        return {answer.id: answer for answer in answers if answer is not None}

    async def _result(self, id_: str, began: float) -> Delivery | None:
        async with self._questions, self._slots:
            return None if _is_over(LAST_QUESTION, began) else await self._notifier.result(id_)

    def _report(self, answer: Submission | Delivery, phone: str) -> Report:
        outcome = answer.outcome or Outcome.UNCERTAIN
        if outcome is Outcome.ACCEPTED and self._can.accepted_is_delivered:
            outcome = Outcome.DELIVERED
        return Report(outcome, answer.vendor_reference, phone)


def _is_over(limit: timedelta, began: float) -> bool:
    return asyncio.get_running_loop().time() - began > limit.total_seconds()


def _groups(notices: Sequence[Notice]) -> Iterator[Sequence[Notice]]:
    by_attempts = [
        [n for n in notices if min(n.attempts, len(GROUP_BY_ATTEMPTS) - 1) == attempts]
        for attempts in range(len(GROUP_BY_ATTEMPTS))
    ]
    for group, size in zip(by_attempts, GROUP_BY_ATTEMPTS, strict=True):
        yield from (group[i : i + size] for i in range(0, len(group), size))


def out_of_reach(findings: Mapping[str, Finding]) -> bool:
    """True when every attempt failed in the way of an outage."""
    reports = [finding for finding in findings.values() if isinstance(finding, Report)]
    return bool(reports) and all(report.outcome in OUTAGE for report in reports)


def _still_doubtful(finding: Finding) -> Finding:
    """An attempt that came to nothing does not tell what became of those before it."""
    return finding._replace(doubtful=True) if isinstance(finding, Report) else finding


def _notification(notice: Notice, phone: str) -> Notification:
    return Notification(
        notice.id, notice.template_code, notice.language_code, phone, notice.variables, notice.expire_at
    )
