"""One transaction on management's database."""

from datetime import datetime

from sqlalchemy import Connection, select

from services.chassis.unit_of_work import Surroundings, UnitOfWork
from services.management.adapters import rows
from services.management.adapters.messages import order_messages, store_messages
from services.management.adapters.tables import orders, stores, tables
from services.management.domain.order import Order, OrderState, ReceptionState
from services.management.domain.store import Store
from services.management.domain.table import Table

NEXT_IN_LINE = (
    select(orders)
    .where(orders.c.reception_state == ReceptionState.WAITING)
    .where(orders.c.state.in_((OrderState.RECEIVED, OrderState.ACCEPTED)))
    .order_by(orders.c.order_key)
    .limit(1)
)


class SqlUnitOfWork(UnitOfWork):
    """Stores, orders, and copies of seat's tables."""

    def __init__(self, connection: Connection, now: datetime, around: Surroundings) -> None:
        super().__init__(connection, now, around)
        self.stores = self.rows(
            "stores",
            stores,
            key=_store_key,
            to_row=rows.store_to_row,
            from_row=rows.store_from_row,
            messages=store_messages,
        )
        self.orders = self.rows(
            "orders",
            orders,
            key=_order_key,
            to_row=rows.order_to_row,
            from_row=rows.order_from_row,
            messages=order_messages,
        )
        self.tables = self.rows(
            "tables",
            tables,
            key=_table_key,
            to_row=rows.table_to_row,
            from_row=rows.table_from_row,
            messages=lambda _: (),
        )

    def next_in_line(self, store_id: str) -> Order | None:
        """The first of the orders that wait; sees what earlier members of the batch did."""
        self.flush()
        found = self.connection.execute(NEXT_IN_LINE.where(orders.c.store_id == store_id)).mappings()
        return next(iter(self.orders.adopt(found)), None)


def _store_key(store: Store) -> str:
    return store.id


def _order_key(order: Order) -> str:
    return order.id


def _table_key(table: Table) -> str:
    return table.id
