"""Marking a called party as not there."""

from dataclasses import dataclass

from services.management.application.names import get_order
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class MarkOrderNoShow:
    store_id: str
    order_id: str
    etag: str = ""


def mark_order_no_show(cmd: MarkOrderNoShow, uow: UnitOfWork) -> Order:
    """The order, closed as a no-show; its table becomes free."""
    order = get_order(uow, cmd.store_id, cmd.order_id, cmd.etag)
    if order.mark_no_show(uow.now):
        uow.orders.save(order)
    return order
