"""Receptions to messages, and messages of the other services to facts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from services.reception.application.change_store import ChangeStore
from services.reception.application.ports import Standing
from services.reception.domain.facts import Order, OrderState, Seating
from services.reception.domain.line import Policy, SeatingMode, StoreState
from services.reception.domain.reception import Reception, State
from services.reception.entrypoints.presence import Code
from services.reception.wire import CHANNELS, CLOSE_REASONS, STATES, set_time
from tabling.management.v1 import order_pb2, store_pb2
from tabling.reception.v1 import reception_pb2 as pb
from tabling.seat.v1 import events_pb2 as seat_pb2

STATES_FROM_PB: Mapping[int, State] = {number: state for state, number in STATES.items()}

_ORDER_STATES: Mapping[int, OrderState] = {order_pb2.Order.State.Value(s.value): s for s in OrderState}
_STORE_STATES: Mapping[int, StoreState] = {store_pb2.Store.State.Value(s.value): s for s in StoreState}
_SEATING_MODES: Mapping[int, SeatingMode] = {
    store_pb2.Store.SEATING_MODE_UNSPECIFIED: SeatingMode.COMPATIBLE_FIFO,
    **{store_pb2.Store.SeatingMode.Value(mode.value): mode for mode in SeatingMode},
}


def to_pb(reception: Reception, standing: Standing) -> pb.Reception:
    """A reception as its holder sees it."""
    to, contact = pb.Reception(), reception.contact
    to.name = reception.name
    to.party_size = reception.party_size
    to.language_code = contact.language_code
    to.section = reception.section
    to.state = STATES[reception.state]
    to.waiting_number = reception.waiting_number
    to.table = reception.table
    to.postpone_count = reception.postpone_count
    to.close_reason = CLOSE_REASONS[reception.close_reason]
    to.channel = CHANNELS[reception.channel]
    to.business_day = reception.business_day
    to.version = reception.version
    to.etag = str(reception.version)
    if contact.customer_id:
        to.customer = f"customers/{contact.customer_id}"
    to.phone = contact.phone_masked
    if reception.state is State.WAITING:
        to.parties_ahead, to.estimated_wait.seconds = standing
    set_time(to.create_time, reception.created_at)
    _set_times(reception, to)
    return to


def to_place(reception: Reception, standing: Standing) -> pb.Place:
    """Where a reception stands."""
    place = pb.Place(name=f"{reception.name}/place", state=STATES[reception.state])
    if reception.state is State.WAITING:
        place.parties_ahead = standing.parties_ahead
        place.estimated_wait.seconds = standing.wait_seconds
    return place


def to_presence_code(name: str, code: Code) -> pb.PresenceCode:
    """What the store's display shows."""
    shown = pb.PresenceCode(name=name, code=code.digits)
    set_time(shown.expire_time, code.expires_at)
    return shown


def to_seating(seating: seat_pb2.Seating) -> Seating:
    """What seat says."""
    store_id, reception_id = reception_ids(seating.reception)
    return Seating(
        reception_id=reception_id,
        store_id=store_id,
        version=seating.version,
        round=seating.round,
        table=seating.table,
        held_at=_time(seating, "hold_time"),
        hold_expires_at=_time(seating, "hold_expire_time"),
    )


def to_order(order: order_pb2.Order) -> Order:
    """What management says."""
    store_id, order_id = order_ids(order)
    return Order(
        id=order_id,
        store_id=store_id,
        version=order.version,
        round=order.round,
        state=_ORDER_STATES[order.state],
        party_size=order.party_size,
        section=order.section,
        table=order.table,
        created_at=_time(order, "create_time"),
        called_at=_time(order, "call_time"),
        seated_at=_time(order, "seat_time"),
        hold_expires_at=_time(order, "hold_expire_time"),
    )


def to_change_store(store: store_pb2.Store) -> ChangeStore:
    """A store's policy, with what is meant where nothing is said."""
    policy = Policy(
        store_version=store.version,
        display_name=store.display_name,
        state=_STORE_STATES[store.state],
        min_party_size=store.min_party_size or 1,
        max_party_size=store.max_party_size or 8,
        max_waiting=store.max_waiting or 100,
        call_timeout_seconds=store.call_timeout.seconds or 300,
        seating_mode=_SEATING_MODES[store.seating_mode],
        max_postpones=store.max_postpones if store.HasField("max_postpones") else 2,
        near_turn_parties=store.near_turn_parties if store.HasField("near_turn_parties") else 3,
        time_zone=store.time_zone or "Asia/Seoul",
        day_start_hour=store.day_start_hour if store.HasField("day_start_hour") else 5,
        presence_required=store.presence_required,
    )
    return ChangeStore(store_id(store.name), policy, _time(store, "sent_home_time"))


def store_id(name: str) -> str:
    """The id in `stores/{store}`."""
    return name.split("/")[1]


def reception_ids(name: str) -> tuple[str, str]:
    """The ids in `stores/{store}/receptions/{reception}`."""
    _, store, _, reception = name.split("/")
    return store, reception


def order_ids(order: order_pb2.Order) -> tuple[str, str]:
    """The ids in `stores/{store}/orders/{order}`."""
    _, store, _, order_id = order.name.split("/")
    return store, order_id


def _set_times(reception: Reception, to: pb.Reception) -> None:
    if reception.hold_expires_at:
        set_time(to.hold_expire_time, reception.hold_expires_at)
    if reception.called_at:
        set_time(to.call_time, reception.called_at)
    if reception.seated_at:
        set_time(to.seat_time, reception.seated_at)
    if reception.closed_at:
        set_time(to.close_time, reception.closed_at)


def _time(message: Any, name: str) -> datetime | None:
    if not message.HasField(name):
        return None
    value: Timestamp = getattr(message, name)
    return value.ToDatetime(tzinfo=UTC)
