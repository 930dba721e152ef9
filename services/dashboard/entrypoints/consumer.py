"""Which events the read model is made from. All of them carry whole snapshots with versions."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from services.chassis.consumer import Handler
from services.dashboard.application import projections
from services.dashboard.application.model import ReadModel
from services.dashboard.entrypoints import convert
from tabling.management.v1 import events_pb2 as management
from tabling.reception.v1 import events_pb2 as reception
from tabling.seat.v1 import events_pb2 as seat


def handlers() -> Mapping[str, Handler[Any]]:
    """Routing key → what to do."""
    receptions = {
        f"reception.reception.{fact}.v1": _handler(message, _reception)
        for fact, message in (
            ("added", reception.ReceptionAdded),
            ("numbered", reception.ReceptionNumbered),
            ("postponed", reception.ReceptionPostponed),
            ("neared", reception.ReceptionNeared),
            ("called", reception.ReceptionCalled),
            ("seated", reception.ReceptionSeated),
            ("canceled", reception.ReceptionCanceled),
            ("closed", reception.ReceptionClosed),
            ("restored", reception.ReceptionRestored),
        )
    }
    orders = {
        f"management.order.{fact}.v1": _handler(message, _order)
        for fact, message in (
            ("registered", management.WalkInRegistered),
            ("accepted", management.OrderAccepted),
            ("called", management.OrderCalled),
            ("seated", management.OrderSeated),
            ("completed", management.OrderCompleted),
            ("canceled", management.OrderCanceled),
            ("restored", management.OrderRestored),
        )
    }
    others = {
        "management.store.changed.v1": _handler(management.StoreChanged, _store),
        "seat.table.changed.v1": _handler(seat.TableChanged, _table),
        "seat.availability.changed.v1": _handler(seat.AvailabilityChanged, _availability),
    }
    return {**receptions, **orders, **others}


def _handler(message: type[Message], apply: Callable[[Any, ReadModel], None]) -> Handler[Any]:
    return Handler(message, apply)


def _reception(event: reception.ReceptionAdded, model: ReadModel) -> None:
    line = convert.line_row(event.line) if event.HasField("line") else None
    projections.show_reception(convert.reception_row(event.reception), line, model)


def _order(event: management.OrderAccepted, model: ReadModel) -> None:
    projections.show_order(convert.order_row(event.order), model)


def _store(event: management.StoreChanged, model: ReadModel) -> None:
    projections.show_store(convert.store_row(event.store), model)


def _table(event: seat.TableChanged, model: ReadModel) -> None:
    projections.show_table(convert.table_row(event.table), model)


def _availability(event: seat.AvailabilityChanged, model: ReadModel) -> None:
    projections.show_availability(convert.availability_row(event.availability), model)
