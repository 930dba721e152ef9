"""Calling a party by hand."""

from dataclasses import dataclass

from services.management.application.names import get_order, get_store
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class CallOrder:
    store_id: str
    order_id: str
    etag: str = ""


def call_order(cmd: CallOrder, uow: UnitOfWork) -> Order:
    """The order, called; the party has the store's call timeout to come."""
    order = get_order(uow, cmd.store_id, cmd.order_id, cmd.etag)
    store = get_store(uow, cmd.store_id)
    order.call(store.profile.call_timeout, uow.now)
    uow.orders.save(order)
    return order
