"""Following what reception tells of a party."""

from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order, ReceptionSnapshot
from services.management.domain.profile import AcceptMode


def order_topic(order_id: str) -> str:
    """What is signaled when a walk-in's order has changed."""
    return f"order/{order_id}"


def follow_reception(seen: ReceptionSnapshot, uow: UnitOfWork) -> None:
    """Write the order of a reception that is new, bring a known one up to date."""
    order = uow.orders.find(seen.id)
    if order is None:
        store = uow.stores.find(seen.store_id)
        accept_mode = store.profile.accept_mode if store else AcceptMode.AUTOMATIC
        uow.orders.save(Order.of_reception(seen, accept_mode))
    elif order.follow(seen):
        uow.orders.save(order)
        if order.walk_in:
            uow.signal(order_topic(order.id))
