"""The unit of work over the read model: newest rows are collected and written in one statement per table."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Generic, TypeVar

from sqlalchemy import Connection, Dialect, Table, delete
from sqlalchemy.dialects.sqlite import insert

from services.chassis.unit_of_work import Surroundings, UnitOfWork
from services.dashboard.adapters import tables
from services.dashboard.application.model import (
    AvailabilityRow,
    LineRow,
    OrderRow,
    ReceptionRow,
    StoreRow,
    TableRow,
    Versioned,
)

R = TypeVar("R", bound=Versioned)


class LatestRows(Generic[R]):
    """Rows for one table: of each id the newest is written, unless the table holds one as new.

    Nothing is loaded before: the database compares versions while it writes.
    """

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._rows: dict[str, R] = {}

    def preload(self, keys: Iterable[str]) -> None:
        """Nothing to load: rows are only written."""

    def put(self, row: R) -> None:
        """Keep `row` unless one of the same or a newer version is held."""
        held = self._rows.get(row.id)
        if held is None or row.version > held.version:
            self._rows[row.id] = row

    def flush(self) -> None:
        """Write the rows kept."""
        if self._rows:
            self._connection.exec_driver_sql(_upsert(self._table, self._connection.dialect), [*self._rows.values()])
            self._rows = {}


class DashboardUnit(UnitOfWork):
    """One transaction on the read model."""

    def __init__(self, connection: Connection, now: datetime, around: Surroundings) -> None:
        super().__init__(connection, now, around)
        self.stores: LatestRows[StoreRow] = self._latest(tables.stores)
        self.availabilities: LatestRows[AvailabilityRow] = self._latest(tables.availabilities)
        self.lines: LatestRows[LineRow] = self._latest(tables.lines)
        self.receptions: LatestRows[ReceptionRow] = self._latest(tables.receptions)
        self.orders: LatestRows[OrderRow] = self._latest(tables.orders)
        self.tables: LatestRows[TableRow] = self._latest(tables.tables)

    def clear(self) -> None:
        """Forget everything that is shown."""
        self.flush()
        for table in tables.READ_MODEL:
            self.connection.execute(delete(table))

    def _latest(self, table: Table) -> LatestRows[R]:
        return self.collection(table.name, LatestRows(self.connection, table))


@cache
def _upsert(table: Table, dialect: Dialect) -> str:
    # as text, which takes rows as they are: binding by name costs as much again as the writing.
    # `insert` is the one thing here that another dialect would import from elsewhere
    statement = insert(table)
    new = statement.excluded
    values = {column.name: new[column.name] for column in table.columns if not column.primary_key}
    upsert = statement.on_conflict_do_update(
        index_elements=[table.c.id], set_=values, where=new.version > table.c.version
    )
    return str(upsert.compile(dialect=dialect))
