"""Which events reception follows, and what it does with them."""

from collections.abc import Callable, Mapping
from typing import Any

from services.chassis.consumer import Handler
from services.chassis.unit_of_work import Needs
from services.reception.application.change_store import change_store
from services.reception.application.follow_order import follow_order
from services.reception.application.follow_seating import break_promise, expire_hold, hold_table, note_table
from services.reception.application.ports import UnitOfWork
from services.reception.application.register_walk_in import register_walk_in
from services.reception.domain.facts import Order, Seating
from services.reception.entrypoints import convert
from tabling.management.v1 import events_pb2 as management
from tabling.seat.v1 import events_pb2 as seat

_CANCELED: Mapping[int, Callable[[Seating, UnitOfWork], None]] = {
    seat.Seating.TAKEN: break_promise,
    seat.Seating.EXPIRED: expire_hold,
}


def _seating(message: Any, use_case: Callable[[Seating, UnitOfWork], None]) -> Handler[Any]:
    return Handler(message, lambda m, uow: use_case(convert.to_seating(m.seating), uow), _seating_needs)


def _order(message: Any) -> Handler[Any]:
    def apply(m: Any, uow: UnitOfWork) -> None:
        order: Order = convert.to_order(m.order)
        follow_order(order, uow)

    return Handler(message, apply, _order_needs)


def _apply_canceled(message: seat.SeatCanceled, uow: UnitOfWork) -> None:
    _CANCELED[message.seating.state](convert.to_seating(message.seating), uow)


def _apply_store(message: management.StoreChanged, uow: UnitOfWork) -> None:
    change_store(convert.to_change_store(message.store), uow)


def _apply_walk_in(message: management.WalkInRegistered, uow: UnitOfWork) -> None:
    register_walk_in(convert.to_order(message.order), uow)


def _seating_needs(message: Any) -> Needs:
    store_id, reception_id = convert.reception_ids(message.seating.reception)
    return {"receptions": (reception_id,), "lines": (store_id,)}


def _order_needs(message: Any) -> Needs:
    store_id, order_id = convert.order_ids(message.order)
    return {"receptions": (order_id,), "lines": (store_id,)}


def _walk_in_needs(message: Any) -> Needs:
    store_id, order_id = convert.order_ids(message.order)
    return {"receptions": (order_id,), "lines": (store_id,), "early_orders": (order_id,)}


def _store_needs(message: Any) -> Needs:
    return {"lines": (convert.store_id(message.store.name),)}


HANDLERS: Mapping[str, Handler[Any]] = {
    "seat.seating.added.v1": _seating(seat.SeatAdded, hold_table),
    "seat.seating.canceled.v1": Handler(seat.SeatCanceled, _apply_canceled, _seating_needs),
    "seat.seating.taken.v1": _seating(seat.SeatTaken, note_table),
    "management.store.changed.v1": Handler(management.StoreChanged, _apply_store, _store_needs),
    "management.order.registered.v1": Handler(management.WalkInRegistered, _apply_walk_in, _walk_in_needs),
    "management.order.called.v1": _order(management.OrderCalled),
    "management.order.seated.v1": _order(management.OrderSeated),
    "management.order.completed.v1": _order(management.OrderCompleted),
    "management.order.canceled.v1": _order(management.OrderCanceled),
    "management.order.restored.v1": _order(management.OrderRestored),
}
"""Routing key → what to do."""
