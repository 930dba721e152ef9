"""The ledger as the sender uses it."""

from collections.abc import Container, Sequence

from sqlalchemy import Connection

from services.chassis.service import Frame
from services.notification.adapters import queries
from services.notification.adapters.unit_of_work import NotificationUnitOfWork
from services.notification.application.courier import Newest
from services.notification.application.settle_notices import Finding, SettleNotices, settle_notices
from services.notification.domain.notice import LEASE, Notice

SETTLING_SECONDS = 0.05
"""How long what was sent may wait to be written down, with more of it; nobody else sends it meanwhile."""


class SqlLedger:
    """Reads on their own; writes through the group commit, with everything else.

    Where other processes work on the same ledger, a notice is taken up by writing so down, for a while, and at most
    one of them has it in hand. A process that has the ledger to itself has everything in hand anyway.
    """

    def __init__(self, frame: Frame[NotificationUnitOfWork]) -> None:
        self._database = frame.database
        self._lane = frame.lane
        self._clock = frame.clock
        self._started_at = frame.clock.now()
        self._is_first = True

    async def take_up(self, limit: int, without: Container[str]) -> list[Notice]:
        """Notices whose time has come and that nobody has in hand, longest due first; for `LEASE`."""
        if not self._database.shared:
            return await self._left_over(limit, without)
        if not await self._database.look(self._is_any_due):
            return []
        return await self._lane.run(lambda uow: uow.notices.take_up(limit), weight=limit, bounded=False)

    async def keep(self, notices: Sequence[Notice]) -> list[Notice]:
        """Those of the notices, which were in hand, that still are, with time enough for an attempt."""
        if not self._database.shared:
            return [*notices]
        now = self._clock.now()
        safe = [notice for notice in notices if notice.is_safe(now)]
        rest = [notice for notice in notices if not notice.is_safe(now)]
        if rest:
            safe += await self._lane.run(lambda uow: uow.notices.keep(rest), weight=len(rest), bounded=False)
        return safe

    async def newest(self, notices: Sequence[Notice]) -> Newest:
        """State and round of the notices' receptions, as known now."""
        ids = {notice.reception_id for notice in notices}
        return await self._database.look(lambda connection: queries.newest_states(connection, ids))

    async def settle(self, findings: Sequence[tuple[Notice, Finding]]) -> None:
        """Write down what was found out about notices, in one transaction."""
        cmd = SettleNotices(findings)
        work = lambda uow: settle_notices(cmd, uow)  # noqa: E731
        await self._lane.run(work, weight=len(findings), bounded=False, patience=SETTLING_SECONDS)

    async def _left_over(self, limit: int, without: Container[str]) -> list[Notice]:
        # what an earlier process left behind is nobody else's, however fresh it is
        until = self._clock.now() + LEASE if self._is_first else self._clock.now()
        found = await self._database.scan(lambda connection: queries.due_notices(connection, until, limit, without))
        self._is_first = self._is_first and len(found) == limit
        for notice in found:
            notice.doubtful = notice.doubtful or notice.updated_at < self._started_at
        return found

    def _is_any_due(self, connection: Connection) -> bool:
        return queries.is_any_due(connection, self._clock.now())
