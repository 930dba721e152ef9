"""The tables of a store, loaded together."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from services.chassis.rows import Rows
from services.chassis.statements import among, fetch
from services.chassis.writes import Writes
from services.seat.adapters.tables import tables
from services.seat.domain.table import Table

_OF_STORES = select(tables).where(among(tables.c.store_id))


class FloorTables:
    """All tables of each store that is asked for; the rows themselves are kept by `Rows`."""

    def __init__(self, connection: Connection, rows: Rows[Table]) -> None:
        self._connection = connection
        self._rows = rows
        self._of: dict[str, dict[str, Table]] = {}

    def preload(self, keys: Iterable[str]) -> None:
        """Load the tables of these stores, in one statement."""
        unknown = [store_id for store_id in dict.fromkeys(keys) if store_id not in self._of]
        if not unknown:
            return
        self._of.update({store_id: {} for store_id in unknown})
        rows = fetch(_OF_STORES, self._connection.dialect).run(self._connection, {"keys": unknown})
        for table in self._rows.adopt(rows):
            self._of[table.store_id][table.table_id] = table

    def of(self, store_id: str) -> Mapping[str, Table]:
        """A store's tables by id."""
        if store_id not in self._of:
            self.preload((store_id,))
        return self._of[store_id]

    def save(self, table: Table) -> None:
        """Keep a new or changed table and announce it."""
        self.of(table.store_id)
        self._of[table.store_id][table.table_id] = table
        self._rows.save(table)

    def flush(self, writes: Writes) -> None:
        """Nothing to write: `Rows` does that."""
