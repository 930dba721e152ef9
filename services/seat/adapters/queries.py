"""What is read from the floor, straight from the tables."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from services.chassis.statements import among, fetch, row_by_key
from services.seat.adapters import tables as sql
from services.seat.adapters.rows import floor_from_row, table_from_row
from services.seat.domain.floor import SeatingMode
from services.seat.domain.table import TableState
from services.seat.wire import availability_to_pb, table_to_pb
from tabling.seat.v1.table_pb2 import Availability, Table

Question = tuple[str, int, str]
"""Store's id, party size, section wished for."""


_ASSIGNING = select(sql.floors.c.id, sql.floors.c.mode).where(
    among(sql.floors.c.id, "stores"), sql.floors.c.tables_free > 0, sql.floors.c.mode != SeatingMode.BY_HAND.name
)
_WITH_LINE = select(sql.floors.c.id).where(
    among(sql.floors.c.id, "stores"),
    select(1).where(sql.seatings.c.store_id == sql.floors.c.id, sql.waiting).correlate(sql.floors).exists(),
)
_LARGEST_FREE = (
    select(sql.tables.c.store_id, sql.tables.c.section, func.max(sql.tables.c.capacity))
    .where(among(sql.tables.c.store_id, "stores"), sql.tables.c.state == TableState.FREE.name)
    .group_by(sql.tables.c.store_id, sql.tables.c.section)
)


def check_seats(connection: Connection, questions: Sequence[Question]) -> list[bool]:
    """For each question whether a free table fits that nobody in line could use.

    A compatible line needs no look at the line: whoever waits in it fits no free table.
    """
    largest = _largest_free(connection, {store for store, _, _ in questions})
    return [_fits(largest.get(store, {}), party_size, section) for store, party_size, section in questions]


def _largest_free(connection: Connection, stores: Collection[str]) -> Mapping[str, Mapping[str, int]]:
    """Capacity of the largest free table by store and section, of stores that would give it to a newcomer."""
    modes = {store: SeatingMode[mode] for store, mode in _run(connection, _ASSIGNING, stores)}
    strict = [store for store, mode in modes.items() if mode is SeatingMode.STRICT_FIFO]
    if strict:
        for (store,) in _run(connection, _WITH_LINE, strict):
            del modes[store]
    largest: dict[str, dict[str, int]] = {store: {} for store in modes}
    if largest:
        for store, section, capacity in _run(connection, _LARGEST_FREE, largest):
            largest[store][section] = capacity
    return largest


def _run(connection: Connection, statement: Select[Any], stores: Collection[str]) -> Iterator[tuple[Any, ...]]:
    found = fetch(statement, connection.dialect).run(connection, {"stores": stores})
    return (tuple(row.values()) for row in found)


def _fits(largest: Mapping[str, int], party_size: int, section: str) -> bool:
    capacity = largest.get(section, 0) if section else max(largest.values(), default=0)
    return party_size <= capacity


def table(connection: Connection, store_id: str, table_id: str) -> Table | None:
    """One table."""
    row = row_by_key(connection, sql.tables, f"{store_id}/{table_id}")
    return table_to_pb(table_from_row(row)) if row else None


def tables(connection: Connection, store_id: str, after: str, limit: int) -> list[Table] | None:
    """A store's tables with ids behind `after`, in order; None when the store is unknown."""
    if availability(connection, store_id) is None:
        return None
    columns = sql.tables.c
    statement = (
        select(sql.tables)
        .where(columns.store_id == store_id, columns.table_id > after)
        .order_by(columns.table_id)
        .limit(limit)
    )
    return [table_to_pb(table_from_row(row)) for row in connection.execute(statement).mappings()]


def availability(connection: Connection, store_id: str) -> Availability | None:
    """A store's free seats; None when the store is unknown."""
    row = row_by_key(connection, sql.floors, store_id)
    return availability_to_pb(floor_from_row(row)) if row and row["store_version"] else None
