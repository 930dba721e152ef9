"""Write down what sending came to."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notification.application.ports import UnitOfWork
from services.notification.domain.notice import Notice, Reason
from services.notification.domain.outcome import Report

Finding = Report | Reason
"""What is known of a notice now: what an attempt came to, or why there must be none."""


@dataclass(frozen=True, slots=True)
class SettleNotices:
    """What was found out about notices, each as it was committed."""

    findings: Sequence[tuple[Notice, Finding]]


def settle_notices(cmd: SettleNotices, uow: UnitOfWork) -> None:
    """Carry every notice on by what was found out. Raises `Stale` when one was changed by somebody else."""
    for committed, finding in cmd.findings:
        notice = uow.notices.bring(committed)
        if isinstance(finding, Reason):
            notice.withhold(finding, uow.now)
        else:
            notice.report(finding, uow.now)
        uow.notices.carry_on(notice)
