"""Seating a party that has arrived."""

from dataclasses import dataclass

from services.management.application.names import get_order, table_name
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class SeatOrder:
    """`table_id` (`<store>/<table>`) is empty for the table held for the party, or none."""

    store_id: str
    order_id: str
    table_id: str = ""
    etag: str = ""


def seat_order(cmd: SeatOrder, uow: UnitOfWork) -> Order:
    """The order, seated. Raises `TableTooSmall` or `TableTaken` for a table that will not do."""
    order = get_order(uow, cmd.store_id, cmd.order_id, cmd.etag)
    if cmd.table_id:
        _seat_at(cmd.table_id, order, uow)
    elif order.seat("", uow.now):
        uow.orders.save(order)
    return order


def _seat_at(table_id: str, order: Order, uow: UnitOfWork) -> None:
    name = table_name(table_id)
    table = uow.tables.get(table_id, name)
    shown = uow.orders.find(table.shown_to) if table.shown_to else None
    if order.seat_at(table, name, shown, uow.now):
        uow.tables.save(table)
        uow.orders.save(order)
