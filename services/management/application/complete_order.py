"""Completing an order: the party has left."""

from dataclasses import dataclass

from services.management.application.names import get_order
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class CompleteOrder:
    store_id: str
    order_id: str
    etag: str = ""


def complete_order(cmd: CompleteOrder, uow: UnitOfWork) -> Order:
    """The order, completed; its table becomes free."""
    order = get_order(uow, cmd.store_id, cmd.order_id, cmd.etag)
    if order.complete(uow.now):
        uow.orders.save(order)
    return order
