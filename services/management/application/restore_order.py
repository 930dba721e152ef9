"""Bringing a no-show back into the line."""

from dataclasses import dataclass

from services.management.application.names import get_order
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    store_id: str
    order_id: str
    etag: str = ""


def restore_order(cmd: RestoreOrder, uow: UnitOfWork) -> Order:
    """The order, accepted again; reception gives the party its old place."""
    order = get_order(uow, cmd.store_id, cmd.order_id, cmd.etag)
    order.restore()
    uow.orders.save(order)
    return order
