"""The unit of work over the read model: newest rows are collected and written in one statement per table."""

from collections.abc import Iterable
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection, Table

from services.chassis.unit_of_work import Surroundings, UnitOfWork
from services.chassis.writes import Writes
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

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: dict[str, R] = {}

    def preload(self, keys: Iterable[str]) -> None:
        """Nothing to load: rows are only written."""

    def put(self, row: R) -> None:
        """Keep `row` unless one of the same or a newer version is held."""
        held = self._rows.get(row.id)
        if held is None or row.version > held.version:
            self._rows[row.id] = row

    def flush(self, writes: Writes) -> None:
        """Hand over the rows kept."""
        # in one order everywhere: two transactions that write the same rows then wait, instead of for each other
        writes.insert_newer(self._table, [self._rows[key]._asdict() for key in sorted(self._rows)])
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

    def _latest(self, table: Table) -> LatestRows[R]:
        return self.collection(table.name, LatestRows(table))
