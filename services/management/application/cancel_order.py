"""Canceling an order for the store's own reasons."""

from dataclasses import dataclass

from services.management.application.names import get_order
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class CancelOrder:
    store_id: str
    order_id: str
    reason: str = ""
    etag: str = ""


def cancel_order(cmd: CancelOrder, uow: UnitOfWork) -> Order:
    """The order, canceled; reception tells the party."""
    order = get_order(uow, cmd.store_id, cmd.order_id, cmd.etag)
    if order.cancel(cmd.reason, uow.now):
        uow.orders.save(order)
    return order
