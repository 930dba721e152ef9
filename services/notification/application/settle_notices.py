"""Write down what sending came to."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notification.application.ports import UnitOfWork
from services.notification.domain.notice import Reason
from services.notification.domain.outcome import Report


@dataclass(frozen=True, slots=True)
class SettleNotices:
    """What was found out about some notices, by id: a report of sending or asking, or why it was withheld."""

    findings: Mapping[str, Report | Reason]


def settle_notices(cmd: SettleNotices, uow: UnitOfWork) -> None:
    """Take every finding over; notices that are settled already stay as they are."""
    for id_, finding in cmd.findings.items():
        notice = uow.notices.find(id_)
        if notice is None or notice.is_settled:
            continue
        if isinstance(finding, Reason):
            notice.withhold(finding, uow.now)
        else:
            notice.report(finding, uow.now)
        uow.notices.save(notice)
