"""Calling the party whose turn it is."""

from dataclasses import dataclass

from services.management.application.names import get_store, store_name
from services.management.application.ports import UnitOfWork
from services.management.domain.errors import LineEmpty
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class CallNextOrder:
    store_id: str


def call_next_order(cmd: CallNextOrder, uow: UnitOfWork) -> Order:
    """The order of the first party in line, called. Raises `LineEmpty`."""
    store = get_store(uow, cmd.store_id)
    order = uow.next_in_line(store.id)
    if order is None:
        raise LineEmpty(f"nobody waits at {store_name(store.id)}")
    order.call(store.profile.call_timeout, uow.now)
    uow.orders.save(order)
    return order
