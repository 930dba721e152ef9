"""The ledger as the sender uses it."""

from collections.abc import Container, Sequence
from datetime import datetime

from services.chassis.service import Frame
from services.notification.adapters import queries
from services.notification.adapters.unit_of_work import NotificationUnitOfWork
from services.notification.application.courier import Newest
from services.notification.application.settle_notices import Finding, SettleNotices, settle_notices
from services.notification.domain.notice import Notice


class SqlLedger:
    """Reads on their own; writes through the group commit, with everything else."""

    def __init__(self, frame: Frame[NotificationUnitOfWork]) -> None:
        self._frame = frame

    async def due(self, now: datetime, limit: int, without: Container[str]) -> list[Notice]:
        """Open notices whose time has come, longest due first, without those already in hand."""
        return await self._frame.database.scan(lambda connection: queries.due_notices(connection, now, limit, without))

    async def newest(self, notices: Sequence[Notice]) -> Newest:
        """State and round of the notices' receptions, as known now."""
        ids = {notice.reception_id for notice in notices}
        return await self._frame.database.read(lambda connection: queries.newest_states(connection, ids))

    async def settle(self, findings: Sequence[tuple[Notice, Finding]]) -> None:
        """Write down what was found out about notices, in one transaction."""
        cmd = SettleNotices(findings)
        await self._frame.lane.run(lambda uow: settle_notices(cmd, uow), weight=len(findings), bounded=False)
