"""Pay for notices that are about to be sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.notification.application.ports import UnitOfWork
from services.notification.domain.budget import Allowed, Budget
from services.notification.domain.notice import Reason


class Bill(NamedTuple):
    """A notice, and the keys of the budgets that pay for it."""

    notice_id: str
    phone: str
    block: str
    store: str


@dataclass(frozen=True, slots=True)
class SpendBudgets:
    """Notices are about to be sent."""

    bills: Sequence[Bill]
    allowed: Allowed


def spend_budgets(cmd: SpendBudgets, uow: UnitOfWork) -> dict[str, Reason]:
    """Pay each bill, however often it comes, once. Gives the notices for which nothing is left, and of what."""
    refused = {bill.notice_id: _spend(bill, cmd.allowed, uow) for bill in cmd.bills}
    return {notice_id: reason for notice_id, reason in refused.items() if reason is not None}


def _spend(bill: Bill, allowed: Allowed, uow: UnitOfWork) -> Reason | None:
    phone, block, store = (uow.budgets.find(key) or Budget(key=key) for key in (bill.phone, bill.block, bill.store))
    if bill.notice_id in phone.paid:
        return None
    if not phone.is_within(allowed.phone, uow.now):
        return Reason.PHONE_LIMIT
    if not block.allows(allowed.block, uow.now):
        return Reason.BLOCK_LIMIT
    if not store.allows(allowed.store, uow.now):
        return Reason.STORE_LIMIT
    phone.pay(bill.notice_id, uow.now)
    block.take(allowed.block, uow.now)
    store.take(allowed.store, uow.now)
    for budget in (phone, block, store):
        uow.budgets.save(budget)
    return None
