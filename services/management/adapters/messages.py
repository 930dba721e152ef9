"""Events of management, as the other services get them."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.chassis.messages import Message
from services.management.domain import events
from services.management.domain.order import Order
from services.management.domain.store import Store
from services.management.wire import fill_order, fill_store
from tabling.management.v1 import events_pb2 as pb

STORE_CHANGED = "management.store.changed.v1"

ORDER_EVENTS: Mapping[type, tuple[str, Any]] = {
    events.OrderAccepted: ("management.order.accepted.v1", pb.OrderAccepted),
    events.WalkInRegistered: ("management.order.registered.v1", pb.WalkInRegistered),
    events.OrderCalled: ("management.order.called.v1", pb.OrderCalled),
    events.OrderSeated: ("management.order.seated.v1", pb.OrderSeated),
    events.OrderCompleted: ("management.order.completed.v1", pb.OrderCompleted),
    events.OrderCanceled: ("management.order.canceled.v1", pb.OrderCanceled),
    events.OrderRestored: ("management.order.restored.v1", pb.OrderRestored),
}


def store_messages(store: Store) -> Iterator[Message]:
    """What a saved store has to tell."""
    if store.events:
        yield store_changed(store, store.profile)


def order_messages(order: Order) -> Iterator[Message]:
    """What a saved order has to tell."""
    for event in order.events:
        yield order_message(type(event), order)


def store_changed(store: Any, profile: Any) -> Message:
    """The present state of a store; within a transaction the last replaces those before."""
    message = pb.StoreChanged()
    fill_store(message.store, store, profile)
    name = message.store.name
    return Message(STORE_CHANGED, name, store.id, message.SerializeToString(), latest_of=name)


def order_message(event: type, order: Any) -> Message:
    """An event about an order, with all of it."""
    routing_key, make = ORDER_EVENTS[event]
    message = make()
    fill_order(message.order, order)
    return Message(routing_key, message.order.name, order.id, message.SerializeToString())
