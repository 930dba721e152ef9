"""What management does with the events of reception and seat."""

from typing import Any

from services.chassis.consumer import Handler
from services.chassis.unit_of_work import Needs
from services.management.application.follow_reception import follow_reception
from services.management.application.follow_table import follow_table
from services.management.application.ports import UnitOfWork
from services.management.entrypoints.convert import reception_from_pb, table_from_pb
from tabling.reception.v1 import events_pb2 as reception
from tabling.seat.v1 import events_pb2 as seat

RECEPTION_EVENTS = {
    "added": reception.ReceptionAdded,
    "numbered": reception.ReceptionNumbered,
    "postponed": reception.ReceptionPostponed,
    "neared": reception.ReceptionNeared,
    "called": reception.ReceptionCalled,
    "seated": reception.ReceptionSeated,
    "canceled": reception.ReceptionCanceled,
    "closed": reception.ReceptionClosed,
    "restored": reception.ReceptionRestored,
}


def _apply_reception(message: Any, uow: UnitOfWork) -> None:
    follow_reception(reception_from_pb(message.reception), uow)


def _reception_needs(message: Any) -> Needs:
    _, store, _, order = message.reception.name.split("/")
    return {"orders": (order,), "stores": (store,)}


def _apply_table(message: seat.TableChanged, uow: UnitOfWork) -> None:
    follow_table(table_from_pb(message.table), uow)


def _table_needs(message: seat.TableChanged) -> Needs:
    _, store, _, table = message.table.name.split("/")
    return {"tables": (f"{store}/{table}",)}


HANDLERS: dict[str, Handler[Any]] = {
    f"reception.reception.{fact}.v1": Handler(message, _apply_reception, _reception_needs)
    for fact, message in RECEPTION_EVENTS.items()
}
HANDLERS["seat.table.changed.v1"] = Handler(seat.TableChanged, _apply_table, _table_needs)
