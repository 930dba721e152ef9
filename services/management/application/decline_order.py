"""Declining an order."""

from dataclasses import dataclass

from services.management.application.names import get_order
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class DeclineOrder:
    store_id: str
    order_id: str
    reason: str = ""
    etag: str = ""


def decline_order(cmd: DeclineOrder, uow: UnitOfWork) -> Order:
    """The order, declined; reception tells the party."""
    order = get_order(uow, cmd.store_id, cmd.order_id, cmd.etag)
    if order.decline(cmd.reason, uow.now):
        uow.orders.save(order)
    return order
