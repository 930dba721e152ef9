"""Budgets as the sender uses them."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta

from services.chassis.kernel import Allowance, Limit
from services.chassis.limits import Limits
from services.chassis.service import Frame
from services.notification.adapters.unit_of_work import NotificationUnitOfWork
from services.notification.application.spend_budgets import Bill, SpendBudgets, spend_budgets
from services.notification.domain.budget import ONE_DAY, Allowed
from services.notification.domain.notice import Notice, Reason
from services.notification.domain.purpose import URGENT

DIGITS_OF_BLOCK = 4
"""So many of a number's last digits tell it from the others of its block: `010-1234-5678` is of the block 010-1234."""


class SqlBudgets:
    """Budgets, written through the group commit.

    A phone and its block are known by hashes, for a day. Their key follows from the newest of this installation: where
    that one changes, what was spent is forgotten.
    """

    def __init__(self, frame: Frame[NotificationUnitOfWork]) -> None:
        self._lane = frame.lane
        self._allowed = _allowed(frame.settings.limits)
        self._key = hmac.digest(frame.settings.keys[0].encode(), b"tabling budget of a phone", hashlib.sha256)

    async def spend(self, notices: Sequence[tuple[Notice, str]]) -> dict[str, Reason]:
        """Pay for notices to these numbers, each once. Gives those for which nothing is left, and of what."""
        cmd = SpendBudgets([self._bill(notice, phone) for notice, phone in notices], self._allowed)
        needs = {"budgets": [key for bill in cmd.bills for key in bill[1:]]}
        return await self._lane.run(lambda uow: spend_budgets(cmd, uow), needs, weight=len(notices), bounded=False)

    def _bill(self, notice: Notice, phone: str) -> Bill:
        kind = "urgent" if notice.purpose in URGENT else "plain"
        known, block = (self._known(number) for number in (phone, phone[:-DIGITS_OF_BLOCK]))
        return Bill(notice.id, f"{kind}/phone/{known}", f"{kind}/block/{block}", f"{kind}/store/{notice.store_id}")

    def _known(self, number: str) -> str:
        return hmac.digest(self._key, number.encode(), hashlib.sha256).hex()


def _allowed(limits: Limits) -> Allowed:
    """The limits in the words of the domain."""
    soon = Limit(limits.most_notices_of_phone_in_ten_minutes, timedelta(minutes=10))
    return Allowed(
        (soon, Limit(limits.most_notices_of_phone_a_day, ONE_DAY)),
        Allowance(limits.most_notices_of_block_a_day, ONE_DAY),
        Allowance(limits.most_notices_of_store_a_day, ONE_DAY),
    )
