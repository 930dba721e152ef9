"""Stores and orders as contract messages; the only place where both words are known.

Aggregates and rows of the tables have the same attributes, so reads need no aggregates.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import LatLng, OpeningHours, Store

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

STORE_STATES: Mapping[str, Store.State.ValueType] = {n: v for n, v in Store.State.items() if v}
SEATING_MODES: Mapping[str, Store.SeatingMode.ValueType] = {n: v for n, v in Store.SeatingMode.items() if v}
ACCEPT_MODES: Mapping[str, Store.AcceptMode.ValueType] = {n: v for n, v in Store.AcceptMode.items() if v}
ORDER_STATES: Mapping[str, Order.State.ValueType] = {n: v for n, v in Order.State.items() if v}


def fill_store(message: Store, store: Any, profile: Any) -> None:
    """Write a store into an empty message. A row is both `store` and `profile`."""
    message.name = f"stores/{store.id}"
    message.display_name = profile.display_name
    message.category = profile.category
    message.address = profile.address
    if profile.latitude is not None:
        message.location.CopyFrom(LatLng(latitude=profile.latitude, longitude=profile.longitude))
    message.phone = profile.phone
    message.time_zone = profile.time_zone
    message.day_start_hour = profile.day_start_hour
    for weekday, opens, closes in profile.opening_hours:
        message.opening_hours.append(OpeningHours(weekday=weekday, open=opens, close=closes))
    message.min_party_size = profile.min_party_size
    message.max_party_size = profile.max_party_size
    message.max_waiting = profile.max_waiting
    message.call_timeout.FromTimedelta(profile.call_timeout)
    message.accept_mode = ACCEPT_MODES[profile.accept_mode]
    message.seating_mode = SEATING_MODES[profile.seating_mode]
    message.max_postpones = profile.max_postpones
    message.near_turn_parties = profile.near_turn_parties
    message.presence_required = profile.presence_required
    message.state = STORE_STATES[store.state]
    _set_time(message.reopen_time, store.reopen_at)
    _set_time(message.sent_home_time, store.sent_home_at)
    _set_time(message.create_time, store.created_at)
    _set_time(message.update_time, store.updated_at)
    message.version = store.version
    message.etag = str(store.version)


def fill_order(message: Order, order: Any) -> None:
    """Write an order into an empty message."""
    message.name = f"stores/{order.store_id}/orders/{order.id}"
    message.reception = f"stores/{order.store_id}/receptions/{order.id}"
    message.state = ORDER_STATES[order.state]
    message.party_size = order.party_size
    message.waiting_number = order.waiting_number
    message.table = order.table_name
    message.walk_in = order.walk_in
    message.reason = order.reason
    message.round = order.round
    message.section = order.section
    _set_time(message.create_time, order.created_at)
    if order.called_at is not None:
        _set_time(message.call_time, order.called_at)
    if order.seated_at is not None:
        _set_time(message.seat_time, order.seated_at)
    if order.closed_at is not None:
        _set_time(message.close_time, order.closed_at)
    if order.hold_expires_at is not None:
        _set_time(message.hold_expire_time, order.hold_expires_at)
    message.version = order.version
    message.etag = str(order.version)


def store_to_pb(store: Any, profile: Any) -> Store:
    """A store as a message."""
    message = Store()
    fill_store(message, store, profile)
    return message


def order_to_pb(order: Any) -> Order:
    """An order as a message."""
    message = Order()
    fill_order(message, order)
    return message


def _set_time(field: Timestamp, at: datetime | None) -> None:
    # by hand: FromDatetime costs six times as much
    if at is not None:
        since = at - EPOCH
        field.seconds = since.days * 86_400 + since.seconds
        field.nanos = since.microseconds * 1000
