"""The read model's tables, as a rebuild works on them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, select

from services.chassis.bulk import delete_keys
from services.chassis.database import Database
from services.chassis.statements import Values, rows_by_key
from services.chassis.writes import Writes
from services.dashboard.adapters.tables import READ_MODEL
from services.dashboard.adapters.unit_of_work import LatestRows
from services.dashboard.application.model import Versioned
from services.dashboard.application.rebuild import Key

AT_ONCE = 500
TABLES: Mapping[str, Table] = {table.name: table for table in READ_MODEL}


class SqlShown:
    """The rows that are shown; the service may go on writing them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def versions(self) -> dict[Key, int]:
        """The versions of all rows."""
        return await self._database.scan(_versions)

    async def put(self, rows: Mapping[Key, Versioned], ahead: Mapping[Key, int]) -> int:
        """Show `rows`, save where a newer version is shown; yet of those in `ahead` that version is replaced, too.

        Gives how many rows were not as they should be.
        """
        return await self._database.write(lambda connection: _put(connection, rows, ahead))

    async def forget(self, rows: Mapping[Key, int]) -> None:
        """Show rows of these versions no longer."""
        for some in _chunks(rows):
            await self._database.write(partial(_forget, rows=some))


def _versions(connection: Connection) -> dict[Key, int]:
    return {
        (name, id_): version
        for name, table in TABLES.items()
        for id_, version in connection.execute(select(table.c.id, table.c.version))
    }


def _put(connection: Connection, rows: Mapping[Key, Versioned], ahead: Mapping[Key, int]) -> int:
    mended = 0
    for name, of_table in _by_table(rows).items():
        table = TABLES[name]
        held = {row["id"]: row for row in rows_by_key(connection, table, of_table, lock=True)}
        wrong = [row for row in of_table.values() if _is_wrong(held.get(row.id), row, ahead.get((name, row.id)))]
        delete_keys(connection, table, [row.id for row in wrong if row.id in held])
        latest: LatestRows[Any] = LatestRows(table)
        for row in wrong:
            latest.put(row)
        writes = Writes(connection)
        latest.flush(writes)
        writes.run()
        # a source counts changes that it does not announce, too: a version alone that is behind is nobody's fault
        mended += sum(not _says_the_same(held.get(row.id), row) for row in wrong)
    return mended


def _is_wrong(held: Values | None, row: Any, ahead: int | None) -> bool:
    return held is None or (held != row._asdict() and (held["version"] <= row.version or held["version"] == ahead))


def _says_the_same(held: Values | None, row: Any) -> bool:
    return held is not None and held == row._asdict() | {"version": held["version"]}


def _forget(connection: Connection, rows: Mapping[Key, int]) -> None:
    for name, of_table in _by_table(rows).items():
        held = rows_by_key(connection, TABLES[name], of_table, lock=True)
        delete_keys(connection, TABLES[name], [row["id"] for row in held if row["version"] == of_table[row["id"]]])


def _by_table(rows: Mapping[Key, Any]) -> dict[str, dict[str, Any]]:
    tables: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for (name, id_), row in rows.items():
        tables[name][id_] = row
    return tables


def _chunks(rows: Mapping[Key, int]) -> Iterator[dict[Key, int]]:
    items = iter(rows.items())
    while some := dict(islice(items, AT_ONCE)):
        yield some
