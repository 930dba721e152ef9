"""Events of other services → use cases."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.consumer import Handler
from services.chassis.unit_of_work import Needs
from services.notification.application.keep_store import KeepStore, keep_store
from services.notification.application.ports import Templates, UnitOfWork
from services.notification.application.tell_party import TellParty, tell_party
from services.notification.domain.purpose import CloseReason, ReceptionState
from services.notification.domain.snapshot import Snapshot
from tabling.management.v1 import events_pb2 as management
from tabling.reception.v1 import events_pb2 as reception
from tabling.reception.v1.reception_pb2 import Reception

NEARED = "reception.reception.neared.v1"

_MESSAGES = {
    "reception.reception.added.v1": reception.ReceptionAdded,
    "reception.reception.numbered.v1": reception.ReceptionNumbered,
    "reception.reception.postponed.v1": reception.ReceptionPostponed,
    NEARED: reception.ReceptionNeared,
    "reception.reception.called.v1": reception.ReceptionCalled,
    "reception.reception.seated.v1": reception.ReceptionSeated,
    "reception.reception.canceled.v1": reception.ReceptionCanceled,
    "reception.reception.closed.v1": reception.ReceptionClosed,
    "reception.reception.restored.v1": reception.ReceptionRestored,
}

_STATES = {Reception.State.Value(state.value): state for state in ReceptionState}
_REASONS = {
    Reception.CLOSE_REASON_UNSPECIFIED: CloseReason.NONE,
    **{Reception.CloseReason.Value(r.value): r for r in CloseReason if r is not CloseReason.NONE},
}


def handlers(templates: Templates) -> dict[str, Handler[Any]]:
    """What is done with each event."""
    by_type: dict[str, Handler[Any]] = {
        type_: Handler(message, _teller(templates, neared=type_ == NEARED), _reception_needs)
        for type_, message in _MESSAGES.items()
    }
    by_type["management.store.changed.v1"] = Handler(management.StoreChanged, _keep_store, _store_needs)
    return by_type


def _teller(templates: Templates, *, neared: bool) -> Callable[[Any, UnitOfWork], None]:
    def tell(message: Any, uow: UnitOfWork) -> None:
        if message.reception.has_contact:
            tell_party(TellParty(_snapshot(message.reception, neared)), uow, templates)

    return tell


def _reception_needs(message: Any) -> Needs:
    if not message.reception.has_contact:
        return {}
    _, store_id, _, reception_id = message.reception.name.split("/")
    return {"receptions": (reception_id,), "stores": (store_id,)}


def _snapshot(pb: reception.ReceptionSnapshot, neared: bool) -> Snapshot:
    _, store_id, _, reception_id = pb.name.split("/")
    return Snapshot(
        id=reception_id,
        store_id=store_id,
        version=pb.version,
        round=pb.round,
        state=_STATES[pb.state],
        close_reason=_REASONS[pb.close_reason],
        party_size=pb.party_size,
        waiting_number=pb.waiting_number,
        parties_ahead=pb.parties_ahead,
        estimated_wait_seconds=pb.estimated_wait_seconds,
        hold_expire_at=_moment(pb.hold_expire_time) if pb.HasField("hold_expire_time") else None,
        closed_at=_moment(pb.close_time) if pb.HasField("close_time") else None,
        language_code=pb.language_code,
        neared=neared,
    )


def _keep_store(message: management.StoreChanged, uow: UnitOfWork) -> None:
    store = message.store
    keep_store(KeepStore(_store_id(message), store.version, store.display_name, store.time_zone), uow)


def _store_needs(message: management.StoreChanged) -> Needs:
    return {"stores": (_store_id(message),)}


def _store_id(message: management.StoreChanged) -> str:
    return message.store.name.partition("/")[2]


def _moment(time: Timestamp) -> datetime:
    return time.ToDatetime(tzinfo=UTC)
