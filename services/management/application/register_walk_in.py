"""Registering a party at the door."""

from dataclasses import dataclass

from services.management.application.names import get_store
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order


@dataclass(frozen=True, slots=True)
class RegisterWalkIn:
    """`order_id` will be the reception's id too."""

    order_id: str
    store_id: str
    party_size: int
    section: str = ""


def register_walk_in(cmd: RegisterWalkIn, uow: UnitOfWork) -> Order:
    """The new order; reception gives it a place in line."""
    store = get_store(uow, cmd.store_id)
    order = Order.of_walk_in(cmd.order_id, store.id, cmd.party_size, cmd.section, uow.now)
    uow.orders.save(order)
    return order
