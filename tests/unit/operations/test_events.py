"""Events as operators read them."""

from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from services.chassis.consumer import Handler
from services.dashboard.entrypoints import consumer as dashboard
from services.management.entrypoints import consumer as management
from services.notification.adapters import templates
from services.notification.entrypoints import consumer as notification
from services.operations.events import message_of, whole
from services.reception.entrypoints import consumer as reception
from services.seat.entrypoints import consumer as seat
from tabling.management.v1.events_pb2 import StoreChanged
from tabling.management.v1.store_pb2 import Store
from tabling.messaging.v1.envelope_pb2 import Event

HANDLERS: list[Mapping[str, Handler[Any]]] = [
    dashboard.handlers(),
    management.HANDLERS,
    notification.handlers(templates.load()),
    reception.HANDLERS,
    seat.handlers(),
]


def test_every_event_that_any_service_handles_is_understood() -> None:
    for handlers in HANDLERS:
        for type_, handler in handlers.items():
            assert message_of(type_) is handler.message, type_


@pytest.mark.parametrize(
    "type_",
    ["", "seat.table.changed", "kitchen.dish.cooked.v1", "seat.table.eaten.v1", "os.path.join.v1", "seat.x.y.v9"],
)
def test_a_type_that_nobody_has_is_not_guessed(type_: str) -> None:
    assert message_of(type_) is None


def test_an_event_is_told_with_what_it_says_but_for_phone_numbers() -> None:
    data = StoreChanged(store=Store(name="stores/s1", display_name="강남국밥", phone="02-123-4567"))
    event = Event(id="e1", type="management.store.changed.v1", subject="stores/s1", data=data.SerializeToString())
    told = whole(event)
    assert (told["id"], told["type"], told["subject"]) == ("e1", event.type, "stores/s1")
    assert told["data"] == {"store": {"name": "stores/s1", "displayName": "강남국밥", "phone": "…"}}


def test_an_event_that_cannot_be_read_is_told_without_what_it_says() -> None:
    assert whole(Event(type="management.store.changed.v1", data=b"\xff"))["data"] is None
    assert whole(Event(type="kitchen.dish.cooked.v1", data=StringValue(value="?").SerializeToString()))["data"] is None
