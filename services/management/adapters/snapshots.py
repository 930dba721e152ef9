"""The present state of all stores and orders, as events for read models that are built anew."""

from collections.abc import Mapping

from sqlalchemy import Connection, Row, select

from services.chassis.messages import Message
from services.management.adapters.messages import order_message, store_changed
from services.management.adapters.tables import orders, stores
from services.management.domain import events
from services.management.domain.order import OrderState

PAGE = 200

TOLD_BY: Mapping[str, type] = {
    OrderState.CALLED: events.OrderCalled,
    OrderState.SEATED: events.OrderSeated,
    OrderState.COMPLETED: events.OrderCompleted,
    OrderState.CANCELED: events.OrderCanceled,
    OrderState.NO_SHOW: events.OrderCanceled,
    OrderState.DECLINED: events.OrderCanceled,
}


def read_snapshots(connection: Connection, after: str | None) -> tuple[list[Message], str | None]:
    """The next page: stores by id first, then orders by id. The position is `<table>:<id>`."""
    table, _, last = (after or "stores:").partition(":")
    if table == "stores":
        return _stores(connection, last)
    return _orders(connection, last)


def _stores(connection: Connection, last: str) -> tuple[list[Message], str | None]:
    found = connection.execute(select(stores).where(stores.c.id > last).order_by(stores.c.id).limit(PAGE)).all()
    position = f"stores:{found[-1].id}" if len(found) == PAGE else "orders:"
    return [store_changed(row, row) for row in found], position


def _orders(connection: Connection, last: str) -> tuple[list[Message], str | None]:
    found = connection.execute(select(orders).where(orders.c.id > last).order_by(orders.c.id).limit(PAGE)).all()
    position = f"orders:{found[-1].id}" if len(found) == PAGE else None
    # an order that staff have yet to accept was never told of
    return [order_message(_event(row), row) for row in found if row.state != OrderState.RECEIVED], position


def _event(row: Row[tuple[object, ...]]) -> type:
    if row.state != OrderState.ACCEPTED:
        return TOLD_BY[row.state]
    if row.round:
        return events.OrderRestored
    return events.WalkInRegistered if row.walk_in else events.OrderAccepted
