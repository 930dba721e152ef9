"""The present state of all floors as events, for rebuilding read models."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, or_, select

from services.chassis.messages import Message
from services.seat.adapters import tables as sql
from services.seat.adapters.messages import (
    availability_changed,
    promise_broken,
    seat_added,
    seat_taken,
    table_changed,
)
from services.seat.adapters.rows import floor_from_row, seating_from_row, table_from_row
from services.seat.domain.seating import State

PAGE = 200


class _Chapter(NamedTuple):
    table: Table
    relevant: ColumnElement[bool]
    message: Callable[[RowMapping], Message]


def _seating_message(row: RowMapping) -> Message:
    seating = seating_from_row(row)
    return {State.HELD: seat_added, State.OCCUPIED: seat_taken, State.WAITING: promise_broken}[seating.state](seating)


_OPEN = or_(
    sql.seatings.c.state.in_((State.HELD.name, State.OCCUPIED.name)),
    sql.waiting & sql.seatings.c.refused,  # nothing was ever told of others that wait
)

_CHAPTERS: Sequence[_Chapter] = (
    _Chapter(sql.tables, sql.tables.c.version > 0, lambda row: table_changed(table_from_row(row))),
    _Chapter(sql.seatings, _OPEN, _seating_message),
    _Chapter(sql.floors, sql.floors.c.tables_total > 0, lambda row: availability_changed(floor_from_row(row))),
)


def snapshots(connection: Connection, after: str | None) -> tuple[list[Message], str | None]:
    """The next page: tables, then seatings of open receptions, then availabilities, each by id."""
    number, _, position = (after or "0:").partition(":")
    chapter = _CHAPTERS[int(number)]
    key = chapter.table.c.id
    statement: Any = select(chapter.table).where(key > position, chapter.relevant).order_by(key).limit(PAGE)
    rows = connection.execute(statement).mappings().all()
    messages = [chapter.message(row) for row in rows]
    if len(rows) == PAGE:
        return messages, f"{number}:{rows[-1]['id']}"
    following = int(number) + 1
    return messages, f"{following}:" if following < len(_CHAPTERS) else None
