"""The service's unit of work."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from services.chassis.rows import Rows
from services.chassis.unit_of_work import Surroundings, UnitOfWork
from services.chassis.writes import Writes
from services.seat.adapters import rows
from services.seat.adapters import tables as sql
from services.seat.adapters.floor_tables import FloorTables
from services.seat.adapters.line import Line
from services.seat.adapters.messages import floor_messages, seating_messages, table_messages
from services.seat.domain.floor import Floor
from services.seat.domain.host import Host
from services.seat.domain.seating import Seating
from services.seat.domain.table import Table

HOLD = "hold"
"""Kind of the timer that ends a hold; its key is the reception's id."""


class SeatUnit(UnitOfWork):
    """One transaction on the floors of any stores.

    Needs: `floors` (store ids; a floor with free tables brings them along), `tables` (store ids),
    `seatings` (reception ids).
    """

    def __init__(self, connection: Connection, now: datetime, around: Surroundings) -> None:
        super().__init__(connection, now, around)
        floor_rows: Rows[Floor] = self.rows(
            "floor_rows",
            sql.floors,
            key=lambda floor: floor.store_id,
            to_row=rows.floor_to_row,
            from_row=rows.floor_from_row,
            messages=floor_messages,
        )
        table_rows: Rows[Table] = self.rows(
            "table_rows",
            sql.tables,
            key=lambda table: table.key,
            to_row=rows.table_to_row,
            from_row=rows.table_from_row,
            messages=table_messages,
        )
        tables = FloorTables(connection, table_rows)
        # a store's floor comes first, and is locked: all else is only looked at when nobody else changes it
        self.floors = self.collection("floors", Floors(floor_rows, tables))
        self.tables = self.collection("tables", tables)
        self.seatings: Rows[Seating] = self.rows(
            "seatings",
            sql.seatings,
            key=lambda seating: seating.id,
            to_row=rows.seating_to_row,
            from_row=rows.seating_from_row,
            messages=seating_messages,
        )
        self.line = Line(connection, self.seatings)

    def host(self, store_id: str) -> Host:
        """The host of a store, known or not."""
        return Host(self.floors.of(store_id), StoreBook(self, store_id), self.now)


class Floors:
    """Floors by store."""

    def __init__(self, floor_rows: Rows[Floor], tables: FloorTables) -> None:
        self._rows = floor_rows
        self._tables = tables

    def preload(self, keys: Iterable[str]) -> None:
        """Load these floors, and the tables of those that have free ones: a party that joins may need them."""
        stores = list(keys)
        self._rows.preload(stores)
        self._tables.preload(s for s in stores if (floor := self._rows.find(s)) and floor.tables_free)

    def of(self, store_id: str) -> Floor:
        """A store's floor; an empty one while the store is unknown."""
        return self._rows.find(store_id) or Floor(store_id=store_id)

    def save(self, floor: Floor) -> None:
        """Keep a new or changed floor and announce its events."""
        self._rows.save(floor)

    def flush(self, writes: Writes) -> None:
        """Nothing to write: `Rows` does that."""


class StoreBook:
    """One store's records within a unit of work."""

    def __init__(self, uow: SeatUnit, store_id: str) -> None:
        self._uow = uow
        self._store_id = store_id

    def tables(self) -> Mapping[str, Table]:
        return self._uow.tables.of(self._store_id)

    def first(self) -> Seating | None:
        return self._uow.line.first(self._store_id)

    def first_fitting(self, capacity: int, section: str) -> Seating | None:
        return self._uow.line.first_fitting(self._store_id, capacity, section)

    def keep_floor(self, floor: Floor) -> None:
        self._uow.floors.save(floor)

    def keep_table(self, table: Table) -> None:
        self._uow.tables.save(table)

    def keep_seating(self, seating: Seating) -> None:
        self._uow.line.changed(seating)
        self._uow.seatings.save(seating)

    def remind(self, seating_id: str, at: datetime | None) -> None:
        if at is None:
            self._uow.timers.cancel(HOLD, seating_id)
        else:
            self._uow.timers.set(HOLD, seating_id, at)
