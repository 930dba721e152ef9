"""One transaction of reception."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from services.chassis.messages import Message
from services.chassis.rows import Rows
from services.chassis.unit_of_work import Surroundings, UnitOfWork
from services.reception.adapters import rows, tables
from services.reception.adapters.line_view import LineView, TransactionPlaces
from services.reception.adapters.messages import messages
from services.reception.adapters.phones import SqlPhones
from services.reception.adapters.repositories import SqlCustomers, SqlEarlyOrders, SqlLines, SqlReceptions
from services.reception.application.ports import NOWHERE, Standing
from services.reception.domain.address import Address
from services.reception.domain.line import Line
from services.reception.domain.reception import Reception, State


class ReceptionUnitOfWork(UnitOfWork):
    """Receptions, lines, customers and places. `at_end` runs before anything is written."""

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        around: Surroundings,
        view: LineView,
        at_end: Callable[["ReceptionUnitOfWork"], None],
    ) -> None:
        super().__init__(connection, now, around)
        self._at_end = at_end
        self.seated: list[Reception] = []
        line_rows: Rows[Line] = self.rows(
            "lines",
            tables.lines,
            key=lambda line: line.id,
            to_row=rows.line_to_row,
            from_row=rows.line_from_row,
            messages=lambda _: (),
        )
        self.lines = self.collection("lines", SqlLines(line_rows, view, self.signal, connection))
        self.places = TransactionPlaces(view, self.lines.find)
        self.receptions = SqlReceptions(
            self.rows(
                "receptions",
                tables.receptions,
                key=lambda reception: reception.id,
                to_row=self._reception_row,
                from_row=rows.reception_from_row,
                messages=self._messages,
            ),
            self.places,
            connection,
            self.flush,
        )
        self.customers = SqlCustomers(
            self.rows(
                "customers",
                tables.customers,
                key=lambda customer: customer.key,
                to_row=rows.customer_to_row,
                from_row=rows.customer_from_row,
                messages=lambda _: (),
            ),
            connection,
            now,
        )
        self.addresses: Rows[Address] = self.rows(
            "addresses",
            tables.addresses,
            key=lambda address: address.key,
            to_row=lambda address: {"back_at": address.back_at},
            from_row=lambda row: Address(version=row["version"], key=row["id"], back_at=row["back_at"]),
            messages=lambda _: (),
        )
        self.phones = SqlPhones(connection)
        self.early_orders = SqlEarlyOrders(
            self.rows(
                "early_orders",
                tables.early_orders,
                key=lambda early: early.order.id,
                to_row=rows.early_order_to_row,
                from_row=rows.early_order_from_row,
                messages=lambda _: (),
            )
        )

    def standing(self, reception: Reception) -> Standing:
        """Where a reception stands."""
        if reception.state is not State.WAITING:
            return NOWHERE
        ahead = self.places.ahead(reception.store_id, reception.order_key)
        return Standing(ahead, self._line(reception).wait_seconds(ahead))

    def flush(self) -> None:
        """Finish what the members left for the end, and write everything."""
        self._at_end(self)
        self.customers.settle()
        self._advance_lines()
        super().flush()

    def _advance_lines(self) -> None:
        """See to it that a line's version grows with whatever happens to its receptions: views go by it."""
        for store_id in {reception.store_id for reception in self.receptions.saved.values()} - self.lines.saved.keys():
            self.lines.save(self.lines.get(store_id))

    def _reception_row(self, reception: Reception) -> dict[str, Any]:
        return rows.reception_to_row(reception, self.lines.found[reception.store_id] + 1)

    def _messages(self, reception: Reception) -> list[Message]:
        return messages(reception, self._line(reception), self.standing(reception))

    def _line(self, reception: Reception) -> Line:
        return self.lines.get(reception.store_id)
