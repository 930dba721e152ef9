"""The store search as a statement: the database tells what matches, how far it is, and in which order."""

import math
from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    Row,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from services.dashboard.adapters.tables import availabilities, lines, stores
from services.dashboard.application.estimates import DEFAULT_PACE_SECONDS
from services.dashboard.application.opening import is_open
from services.dashboard.application.search import EARTH_RADIUS_METERS, Found, Key, Point, Search, Sort, latitudes

MOST_LOADED = 1000
"""Stores loaded at once where opening hours decide, which the database cannot read."""

NAME_COMPARED = 255
"""Characters of a name that are compared: MariaDB sorts by the first 1,024 bytes."""

SEATS_REMAINING = func.coalesce(availabilities.c.seats_remaining, 0).label("seats_remaining")
LARGEST_FREE_CAPACITY = func.coalesce(availabilities.c.largest_free_capacity, 0).label("largest_free_capacity")
PARTIES_WAITING = func.coalesce(lines.c.parties_waiting, 0).label("parties_waiting")
PACE_SECONDS = func.coalesce(lines.c.pace_seconds, DEFAULT_PACE_SECONDS).label("pace_seconds")
STORES = stores.outerjoin(availabilities, availabilities.c.id == stores.c.id).outerjoin(
    lines, lines.c.id == stores.c.id
)
"""Stores, with what is free there and how long the line is, as far as that was told."""

_RADIAN = math.pi / 180


def find(connection: Connection, search: Search, now: datetime, after: Key | None, most: int) -> list[Found]:
    """The first stores that match, in order, after a place in it; at most so many."""
    found: list[Found] = []
    # most stores share few hours
    open_at = cache(partial(is_open, now=now))
    limit = min(2 * most, MOST_LOADED) if search.open_now else most
    while True:
        rows = connection.execute(_statement(search, after, limit)).all()
        found += [_found(row) for row in rows if not search.open_now or open_at(row.opening_hours, row.time_zone)]
        if len(rows) < limit or len(found) >= most:
            return found[:most]
        # many are closed
        after, limit = _key(rows[-1]), min(4 * limit, MOST_LOADED)


def _statement(search: Search, after: Key | None, most: int) -> Select[Any]:
    matching = _matching(search)
    key = [column for name, column in matching.c.items() if name.startswith("key_")]
    statement = select(matching).order_by(*key).limit(most)
    if search.radius_meters:
        statement = statement.where(matching.c.meters <= search.radius_meters)
    return statement if after is None else statement.where(tuple_(*key) > after)


def _matching(search: Search) -> Subquery:
    columns = stores.c
    wanted: list[ColumnElement[bool]] = [columns.search_text.contains(word, autoescape=True) for word in search.words]
    if search.category:
        wanted.append(columns.category_key == search.category)
    if search.open_now:
        wanted.append(columns.state == "OPEN")
    if search.party_size:
        wanted.append(availabilities.c.largest_free_capacity >= search.party_size)
    if (between := latitudes(search)) is not None:
        wanted.append(columns.latitude.between(*between))
    meters = literal(0.0) if search.near is None else _meters(search.near)
    key = [column.label(f"key_{place}") for place, column in enumerate((*_order(search.sort, meters), columns.id))]
    shown = select(*key, meters.label("meters"), columns.opening_hours, columns.time_zone)
    return shown.select_from(STORES).where(and_(True, *wanted)).subquery()


def _order(sort: Sort, meters: ColumnElement[float]) -> Sequence[ColumnElement[Any]]:
    """What stores are ordered by, before their ids."""
    if sort is Sort.DISTANCE:
        return _number(case((meters.is_(None), 1), else_=0)), _number(func.coalesce(func.round(meters), 0))
    if sort is Sort.NAME:
        return (func.substr(stores.c.name_key, 1, NAME_COMPARED),)
    if sort is Sort.SEATS:
        return (-_number(SEATS_REMAINING.element),)
    # as `estimated_wait_seconds` tells it; where nobody can join there is no wait, yet it is not the shortest one
    closed = stores.c.state != "OPEN"
    at_once = and_(LARGEST_FREE_CAPACITY.element > 0, PARTIES_WAITING.element == 0)
    wait = (_number(PARTIES_WAITING.element) + 1) * _number(PACE_SECONDS.element)
    return _number(case((closed, 1), else_=0)), case((or_(closed, at_once), _number(literal(0))), else_=wait)


def _meters(near: Point) -> ColumnElement[float]:
    """Length of the great circle between a store and a point (haversine)."""
    phi, near_phi = _radians(stores.c.latitude), _radians(near.latitude)
    half_phi, half_lambda = (phi - near_phi) / 2.0, (_radians(stores.c.longitude) - _radians(near.longitude)) / 2.0
    h = _squared_sine(half_phi) + func.cos(phi, type_=Float) * math.cos(near_phi) * _squared_sine(half_lambda)
    # rounding may leave a little less than 0 or more than 1
    return 2 * EARTH_RADIUS_METERS * func.atan2(func.sqrt(func.abs(h)), func.sqrt(func.abs(1.0 - h)), type_=Float)


def _squared_sine(angle: ColumnElement[float]) -> ColumnElement[float]:
    return func.power(func.sin(angle), 2.0, type_=Float)


def _radians(degrees: Any) -> Any:
    """An angle, a turn further: PostgreSQL refuses results that are too small for it, and none is so far from 0."""
    return (degrees + 360.0) * _RADIAN


def _number(value: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(value, BigInteger)


def _found(row: Row[Any]) -> Found:
    key = _key(row)
    return Found(key, str(key[-1]), round(row.meters or 0))


def _key(row: Row[Any]) -> Key:
    return tuple(row)[:-3]
