"""The unit of work of notification."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from services.chassis.messages import Message
from services.chassis.rows import Rows
from services.chassis.unit_of_work import Surroundings, UnitOfWork
from services.notification.adapters import rows, tables
from services.notification.adapters.messages import messages
from services.notification.domain.notice import Notice
from services.notification.domain.reception import Reception
from services.notification.domain.store import Store


class NotificationUnitOfWork(UnitOfWork):
    """The ledger, and what is known of receptions and stores. `decided`: notices that wait to be sent."""

    def __init__(self, connection: Connection, now: datetime, around: Surroundings) -> None:
        super().__init__(connection, now, around)
        self.decided: list[Notice] = []
        self.notices: Rows[Notice] = self.rows(
            "notices",
            tables.notices,
            key=lambda notice: notice.id,
            to_row=rows.notice_to_row,
            from_row=rows.notice_from_row,
            messages=self._announce,
        )
        self.receptions: Rows[Reception] = self.rows(
            "receptions",
            tables.receptions,
            key=lambda reception: reception.id,
            to_row=rows.reception_to_row,
            from_row=rows.reception_from_row,
            messages=lambda _: (),
        )
        self.stores: Rows[Store] = self.rows(
            "stores",
            tables.stores,
            key=lambda store: store.id,
            to_row=rows.store_to_row,
            from_row=rows.store_from_row,
            messages=lambda _: (),
        )

    def _announce(self, notice: Notice) -> Iterable[Message]:
        # a new line that is not settled is for the sender, which hears of it once this has committed
        if notice.version == 1 and not notice.is_settled:
            self.decided.append(notice)
        return messages(notice)
