"""Accepting an order that needs staff's consent."""

from dataclasses import dataclass

from services.management.application.names import get_order
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class AcceptOrder:
    store_id: str
    order_id: str
    etag: str = ""


def accept_order(cmd: AcceptOrder, uow: UnitOfWork) -> Order:
    """The order, accepted; an accepted one stays as it is."""
    order = get_order(uow, cmd.store_id, cmd.order_id, cmd.etag)
    if order.accept():
        uow.orders.save(order)
    return order
