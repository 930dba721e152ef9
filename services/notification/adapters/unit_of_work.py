"""The unit of work of notification."""

from datetime import datetime

from sqlalchemy import Connection

from services.chassis.rows import Rows
from services.chassis.unit_of_work import Surroundings, UnitOfWork
from services.notification.adapters import rows, tables
from services.notification.adapters.messages import messages
from services.notification.adapters.notices import SqlNotices
from services.notification.domain.budget import Budget
from services.notification.domain.notice import Notice
from services.notification.domain.reception import Reception
from services.notification.domain.store import Store


class NotificationUnitOfWork(UnitOfWork):
    """The ledger, what is known of receptions and stores, and what was spent on notices.

    `decided`: notices that wait to be sent, those of them that are traced with traceparents in `causes`. `settled`:
    notices that came to their end.
    """

    def __init__(self, connection: Connection, now: datetime, around: Surroundings) -> None:
        super().__init__(connection, now, around)
        self.decided: list[Notice] = []
        self.settled: list[Notice] = []
        self.causes: dict[str, str] = {}
        self.notices = self.collection("notices", SqlNotices(connection, now, self._announce, self._count))
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

        self.budgets: Rows[Budget] = self.rows(
            "budgets",
            tables.budgets,
            key=lambda budget: budget.key,
            to_row=rows.budget_to_row,
            from_row=rows.budget_from_row,
            messages=lambda _: (),
        )

    def _announce(self, notice: Notice) -> None:
        for message in messages(notice):
            self.outbox.add(message)
        # a new line that is not settled is for the sender, which hears of it once this has committed
        if notice.is_settled:
            self.settled.append(notice)
        elif notice.version == 1:
            self.decided.append(notice)
            if self.outbox.cause:
                self.causes[notice.id] = self.outbox.cause
