"""What is read: statements straight into the responses."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Connection, Row, bindparam, func, select

from services.chassis.fields import duration
from services.dashboard.adapters.searches import (
    LARGEST_FREE_CAPACITY,
    PACE_SECONDS,
    PARTIES_WAITING,
    SEATS_REMAINING,
    STORES,
    find,
)
from services.dashboard.adapters.tables import orders, receptions, stores, tables
from services.dashboard.application import opening
from services.dashboard.application.board import CALLED, LINE, PART_OF_STATE, SEATED, order_state
from services.dashboard.application.estimates import estimated_wait_seconds
from services.dashboard.application.figures import Visit, figures, mean, p90
from tabling.dashboard.v1.store_view_pb2 import BoardEntry, DayFigures, HourFigures, StoreBoard, StoreView
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import LatLng, OpeningHours, Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1.table_pb2 import Table

__all__ = ("board", "day_figures", "find", "views")

LINE_SHOWN = 10_000
"""Most parties of a line on one board, so that the board of the largest line still is one message."""

# Neither a line nor an availability tells a time, and the time at which its event came would differ after a
# rebuild. But both change with a reception, whose times are told: the newest of them stands for all three.
_RECEPTION_CHANGE = (
    select(func.max(receptions.c.change_micros))
    .where(receptions.c.store_id == stores.c.id)
    .scalar_subquery()
    .label("reception_change_micros")
)
_VIEWS = (
    select(stores, SEATS_REMAINING, LARGEST_FREE_CAPACITY, PARTIES_WAITING, PACE_SECONDS, _RECEPTION_CHANGE)
    .select_from(STORES)
    .where(stores.c.id.in_(bindparam("stores", expanding=True)))
)
_ENTRIES = (
    select(receptions, orders.c.accepted)
    .select_from(receptions.outerjoin(orders, orders.c.id == receptions.c.id))
    .where(
        receptions.c.store_id == bindparam("store"),
        receptions.c.state.in_(bindparam("states", expanding=True)),
    )
    .limit(bindparam("most"))
)
_PARTS = (
    (CALLED, _ENTRIES.order_by(receptions.c.call_micros, receptions.c.id)),
    (LINE, _ENTRIES.order_by(receptions.c.order_key, receptions.c.id)),
    (SEATED, _ENTRIES.order_by(receptions.c.seat_micros, receptions.c.id)),
)
_TABLES = select(tables).where(tables.c.store_id == bindparam("store")).order_by(tables.c.id)
_CONSENT = select(stores.c.accept_mode).where(stores.c.id == bindparam("store"))
_DAY = select(stores.c.time_zone, stores.c.day_start_hour).where(stores.c.id == bindparam("store"))
_VISITS = select(
    receptions.c.state,
    receptions.c.create_micros,
    receptions.c.call_micros,
    receptions.c.seat_micros,
    receptions.c.close_micros,
).where(receptions.c.store_id == bindparam("store"), receptions.c.business_day == bindparam("day"))


def views(connection: Connection, stores: Collection[str]) -> dict[str, StoreView]:
    """The views of those stores that are known."""
    return {row.id: _view(row) for row in connection.execute(_VIEWS, {"stores": list(stores)})}


def board(connection: Connection, store: str) -> StoreBoard | None:
    """A store's board; None when the store is not known."""
    view = views(connection, [store]).get(store)
    if view is None:
        return None
    consent_needed = connection.execute(_CONSENT, {"store": store}).scalar_one() == "MANUAL"
    result = StoreBoard(name=f"stores/{store}/board", view=view)
    for part, statement in _PARTS:
        states = [state for state, its_part in PART_OF_STATE.items() if its_part == part]
        ahead = 0
        for row in connection.execute(statement, {"store": store, "states": states, "most": LINE_SHOWN}):
            result.entries.append(_entry(row, ahead, consent_needed))
            ahead += row.state == "WAITING"
    result.tables.extend(map(_table, connection.execute(_TABLES, {"store": store})))
    return result


def day_figures(connection: Connection, store: str, day: date) -> DayFigures | None:
    """A day's figures; None when the store is not known."""
    clock = connection.execute(_DAY, {"store": store}).one_or_none()
    if clock is None:
        return None
    visits = connection.execute(_VISITS, {"store": store, "day": day.isoformat()})
    counted = figures(day, clock.time_zone, clock.day_start_hour, (Visit(*row) for row in visits))
    return DayFigures(
        name=f"stores/{store}/figures/{day.isoformat()}",
        joined=counted.joined,
        seated=counted.seated,
        canceled=counted.canceled,
        no_shows=counted.no_shows,
        mean_wait=_duration(mean(counted.waits)),
        p90_wait=_duration(p90(counted.waits)),
        hours=[
            HourFigures(
                start_time=_time(start),
                joined=hour.joined,
                seated=hour.seated,
                no_shows=hour.no_shows,
                mean_wait=_duration(mean(hour.waits)),
            )
            for start, hour in counted.hours.items()
        ],
    )


def _view(row: Row[Any]) -> StoreView:
    wait = estimated_wait_seconds(
        parties_waiting=row.parties_waiting,
        pace_seconds=row.pace_seconds,
        largest_free_capacity=row.largest_free_capacity,
        state=row.state,
    )
    located = row.latitude is not None
    return StoreView(
        name=f"stores/{row.id}/view",
        store=f"stores/{row.id}",
        display_name=row.display_name,
        category=row.category,
        address=row.address,
        location=LatLng(latitude=row.latitude, longitude=row.longitude) if located else None,
        state=Store.State.Value(row.state),
        seats_remaining=row.seats_remaining,
        largest_free_capacity=row.largest_free_capacity,
        parties_waiting=row.parties_waiting,
        estimated_wait=None if wait is None else Duration(seconds=wait),
        min_party_size=row.min_party_size,
        max_party_size=row.max_party_size,
        opening_hours=[OpeningHours(**span._asdict()) for span in opening.load(row.opening_hours)],
        update_time=_time(max(row.update_micros, row.reception_change_micros or 0)),
    )


def _entry(row: Row[Any], ahead: int, consent_needed: bool) -> BoardEntry:
    order = order_state(row.state, row.accepted, consent_needed=consent_needed)
    return BoardEntry(
        reception=f"stores/{row.store_id}/receptions/{row.id}",
        order=f"stores/{row.store_id}/orders/{row.id}",
        state=Reception.State.Value(row.state),
        order_state=Order.STATE_UNSPECIFIED if order is None else Order.State.Value(order),
        waiting_number=row.waiting_number,
        party_size=row.party_size,
        parties_ahead=ahead if row.state == "WAITING" else 0,
        table=row.table_name,
        channel=Reception.Channel.Value(row.channel),
        create_time=_time(row.create_micros),
        call_time=_time(row.call_micros),
        hold_expire_time=_time(row.hold_expire_micros),
        postpone_count=row.postpone_count,
    )


def _table(row: Row[Any]) -> Table:
    return Table(
        name=row.name,
        display_name=row.display_name,
        capacity=row.capacity,
        section=row.section,
        state=Table.State.Value(row.state),
        reception=row.reception,
        hold_expire_time=_time(row.hold_expire_micros),
        blocked=row.blocked,
        version=row.version,
        etag=str(row.version),
    )


def _time(micros: int | None) -> Timestamp | None:
    if micros is None:
        return None
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


def _duration(micros: int | None) -> Duration | None:
    return None if micros is None else duration(timedelta(microseconds=micros))
