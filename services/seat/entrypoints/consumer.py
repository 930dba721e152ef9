"""What the service does with the events of others, and with its own timers."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from services.chassis.consumer import Handler
from services.seat.application.expire_hold import ExpireHold, expire_hold
from services.seat.application.follow_reception import follow_reception
from services.seat.application.follow_store import follow_store
from services.seat.entrypoints.convert import reception_news, store_news
from tabling.management.v1.events_pb2 import StoreChanged
from tabling.reception.v1 import events_pb2 as reception

# a party that joins the line needs no tables unless one is free; one that is called, seated or gone does
JOINING: Mapping[str, type[Message]] = {
    "reception.reception.added.v1": reception.ReceptionAdded,
    "reception.reception.numbered.v1": reception.ReceptionNumbered,
    "reception.reception.postponed.v1": reception.ReceptionPostponed,
}
MOVING: Mapping[str, type[Message]] = {
    "reception.reception.called.v1": reception.ReceptionCalled,
    "reception.reception.seated.v1": reception.ReceptionSeated,
    "reception.reception.canceled.v1": reception.ReceptionCanceled,
    "reception.reception.closed.v1": reception.ReceptionClosed,
    "reception.reception.restored.v1": reception.ReceptionRestored,
}


def handlers() -> dict[str, Handler[Any]]:
    """Handlers by routing key. ReceptionNeared tells nothing that matters to tables."""
    return {
        **{key: Handler(message, _follow, _joining_needs) for key, message in JOINING.items()},
        **{key: Handler(message, _follow, _moving_needs) for key, message in MOVING.items()},
        "management.store.changed.v1": Handler(
            StoreChanged,
            lambda message, uow: follow_store(store_news(message.store), uow),
            lambda message: {"floors": (message.store.name.rpartition("/")[2],)},
        ),
    }


def timers() -> dict[str, Callable[[str, Any], None]]:
    """Handlers by kind of timer."""
    return {"hold": lambda key, uow: expire_hold(ExpireHold(key), uow)}


def _follow(message: Any, uow: Any) -> None:
    follow_reception(reception_news(message.reception), uow)


def _joining_needs(message: Any) -> dict[str, tuple[str, ...]]:
    _, store_id, _, reception_id = message.reception.name.split("/")
    return {"seatings": (reception_id,), "floors": (store_id,)}


def _moving_needs(message: Any) -> dict[str, tuple[str, ...]]:
    _, store_id, _, reception_id = message.reception.name.split("/")
    return {"seatings": (reception_id,), "floors": (store_id,), "tables": (store_id,)}
