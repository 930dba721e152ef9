"""Domain events to the events that the other services read."""

from collections.abc import Mapping
from typing import Any

from services.chassis.messages import Message
from services.reception.application.ports import Standing
from services.reception.domain import events
from services.reception.domain.line import Line
from services.reception.domain.reception import Reception, State
from services.reception.wire import CHANNELS, CLOSE_REASONS, STATES, set_time
from tabling.reception.v1 import events_pb2 as pb

_TYPES: Mapping[type[object], tuple[str, Any]] = {
    events.ReceptionAdded: ("reception.reception.added.v1", pb.ReceptionAdded),
    events.ReceptionNumbered: ("reception.reception.numbered.v1", pb.ReceptionNumbered),
    events.ReceptionPostponed: ("reception.reception.postponed.v1", pb.ReceptionPostponed),
    events.ReceptionNeared: ("reception.reception.neared.v1", pb.ReceptionNeared),
    events.ReceptionCalled: ("reception.reception.called.v1", pb.ReceptionCalled),
    events.ReceptionSeated: ("reception.reception.seated.v1", pb.ReceptionSeated),
    events.ReceptionCanceled: ("reception.reception.canceled.v1", pb.ReceptionCanceled),
    events.ReceptionClosed: ("reception.reception.closed.v1", pb.ReceptionClosed),
    events.ReceptionRestored: ("reception.reception.restored.v1", pb.ReceptionRestored),
}

_LATEST: Mapping[State, object] = {
    State.REQUESTED: events.ReceptionAdded(),
    State.WAITING: events.ReceptionAdded(),
    State.CALLED: events.ReceptionCalled(),
    State.SEATED: events.ReceptionSeated(),
    State.COMPLETED: events.ReceptionClosed(),
    State.CANCELED: events.ReceptionCanceled(),
    State.NO_SHOW: events.ReceptionClosed(),
    State.REJECTED: events.ReceptionClosed(),
}


def messages(reception: Reception, line: Line, standing: Standing) -> list[Message]:
    """What a saved reception has to tell."""
    return [_message(event, reception, line, standing) for event in reception.events]


def snapshot_message(reception: Reception, line: Line, standing: Standing) -> Message:
    """The present state, told by the event that fits it best."""
    return _message(_LATEST[reception.state], reception, line, standing)


def _message(event: object, reception: Reception, line: Line, standing: Standing) -> Message:
    routing_key, kind = _TYPES[type(event)]
    body = kind()
    name = reception.name
    _fill(body.reception, name, reception, standing)
    summary = body.line
    summary.store = f"stores/{line.id}"
    summary.version = line.version
    summary.parties_waiting = line.waiting
    summary.pace_seconds = round(line.pace_seconds)
    return Message(routing_key, name, reception.id, body.SerializeToString())


def _fill(to: pb.ReceptionSnapshot, name: str, reception: Reception, standing: Standing) -> None:
    """Field by field: the fastest way to build a message, and this is the hot path."""
    to.name = name
    to.version = reception.version
    to.state = STATES[reception.state]
    to.party_size = reception.party_size
    to.waiting_number = reception.waiting_number
    to.order_key = reception.order_key
    to.round = reception.round
    to.parties_ahead, to.estimated_wait_seconds = standing
    to.table = reception.table
    to.close_reason = CLOSE_REASONS[reception.close_reason]
    to.channel = CHANNELS[reception.channel]
    to.business_day = reception.business_day
    to.postpone_count = reception.postpone_count
    to.has_contact = reception.contact.has_phone
    to.language_code = reception.contact.language_code
    to.section = reception.section
    to.near_turn = reception.near_turn
    to.promised = reception.promised
    set_time(to.create_time, reception.created_at)
    if reception.hold_expires_at:
        set_time(to.hold_expire_time, reception.hold_expires_at)
    if reception.called_at:
        set_time(to.call_time, reception.called_at)
    if reception.seated_at:
        set_time(to.seat_time, reception.seated_at)
    if reception.closed_at:
        set_time(to.close_time, reception.closed_at)
