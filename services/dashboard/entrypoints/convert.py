"""Messages of the sources → rows. A state that is not known here fails loudly."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from services.dashboard.application.model import (
    AvailabilityRow,
    LineRow,
    OrderRow,
    ReceptionRow,
    StoreRow,
    TableRow,
)
from services.dashboard.application.opening import Span, dump
from services.dashboard.application.search import fold
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.events_pb2 import LineSummary, ReceptionSnapshot
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1.table_pb2 import Availability, Table


def _names(enum: Any) -> Mapping[int, str]:
    return {number: name for name, number in enum.items() if number != 0}


_RECEPTION_STATES = _names(Reception.State)
_CHANNELS = _names(Reception.Channel)
_ORDER_STATES = _names(Order.State)
_STORE_STATES = _names(Store.State)
_ACCEPT_MODES = {0: "AUTOMATIC"} | dict(_names(Store.AcceptMode))
_TABLE_STATES = _names(Table.State)


def store_row(store: Store) -> StoreRow:
    """A store, with the contract's defaults filled in."""
    _, id_ = store.name.split("/")
    located = store.HasField("location")
    name_key, category_key = fold(store.display_name), fold(store.category)
    return StoreRow(
        id=id_,
        version=store.version,
        display_name=store.display_name,
        category=store.category,
        address=store.address,
        latitude=store.location.latitude if located else None,
        longitude=store.location.longitude if located else None,
        time_zone=store.time_zone or "Asia/Seoul",
        day_start_hour=store.day_start_hour if store.HasField("day_start_hour") else 5,
        opening_hours=dump(Span(hours.weekday, hours.open, hours.close) for hours in store.opening_hours),
        min_party_size=store.min_party_size or 1,
        max_party_size=store.max_party_size or 8,
        accept_mode=_ACCEPT_MODES[store.accept_mode],
        state=_STORE_STATES[store.state],
        update_micros=_micros(store.update_time),
        name_key=name_key,
        category_key=category_key,
        search_text=f"{name_key}\n{category_key}\n{fold(store.address)}",
    )


def reception_row(reception: ReceptionSnapshot) -> ReceptionRow:
    """A reception."""
    _, store, _, id_ = reception.name.split("/")
    created = _micros(reception.create_time)
    called = _micros(reception.call_time) if reception.HasField("call_time") else None
    seated = _micros(reception.seat_time) if reception.HasField("seat_time") else None
    closed = _micros(reception.close_time) if reception.HasField("close_time") else None
    held = _micros(reception.hold_expire_time) if reception.HasField("hold_expire_time") else None
    return ReceptionRow(
        id_,
        reception.version,
        store,
        _RECEPTION_STATES[reception.state],
        reception.party_size,
        reception.waiting_number,
        reception.order_key,
        reception.table,
        _CHANNELS[reception.channel],
        reception.business_day,
        reception.postpone_count,
        created,
        called,
        seated,
        closed,
        held,
        max(created, called or 0, seated or 0, closed or 0),
    )


def line_row(line: LineSummary) -> LineRow:
    """A line's figures."""
    _, store = line.store.split("/")
    return LineRow(store, line.version, line.parties_waiting, line.pace_seconds)


def order_row(order: Order) -> OrderRow:
    """An order, as far as its reception does not tell the same.

    Management tells what staff do, but nothing when an order only follows its reception: a state kept here
    would depend on which of its changes were told.
    """
    _, store, _, id_ = order.name.split("/")
    return OrderRow(id_, order.version, store, _ORDER_STATES[order.state] != "RECEIVED")


def table_row(table: Table) -> TableRow:
    """A table."""
    _, store, _, id_ = table.name.split("/")
    return TableRow(
        id=f"{store}/{id_}",
        version=table.version,
        store_id=store,
        name=table.name,
        display_name=table.display_name,
        capacity=table.capacity,
        section=table.section,
        state=_TABLE_STATES[table.state],
        reception=table.reception,
        blocked=table.blocked,
        hold_expire_micros=_micros(table.hold_expire_time) if table.HasField("hold_expire_time") else None,
    )


def availability_row(availability: Availability) -> AvailabilityRow:
    """What is free at a store."""
    _, store, _ = availability.name.split("/")
    return AvailabilityRow(
        store, availability.version, availability.seats_remaining, availability.largest_free_capacity
    )


def _micros(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1000
