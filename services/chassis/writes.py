"""Writes: what a transaction is about to write, collected, so that it takes few round trips."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, Table

from services.chassis.bulk import (
    Bulk,
    delete_from,
    insert_into,
    insert_newer,
    insert_or_replace,
    run_all,
    update_version,
)
from services.chassis.kernel import Conflict
from services.chassis.statements import Values


class _Write(NamedTuple):
    table: Table
    bulk: Bulk
    rows: list[Values]
    missed: type[Exception] | None = None


class Writes:
    """Rows for any tables, no row of a table twice. The dictionaries given are taken over.

    `run` sends PostgreSQL all of it as one statement, other databases one for each kind of change.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._writes: list[_Write] = []

    def insert(self, table: Table, rows: list[Values]) -> None:
        """Insert whole rows."""
        self._add(_Write(table, insert_into(table, self._dialect), rows))

    def insert_newer(self, table: Table, rows: list[Values]) -> None:
        """Insert whole rows; where there is one of that `id`, the one with the greater `version` stays."""
        self._add(_Write(table, insert_newer(table, self._dialect), rows))

    def replace(self, table: Table, rows: list[Values]) -> None:
        """Insert whole rows in place of those that have the same `id`."""
        self._add(_Write(table, insert_or_replace(table, self._dialect), rows))

    def update(
        self, table: Table, rows: list[Values], columns: tuple[str, ...] = (), missed: type[Exception] = Conflict
    ) -> None:
        """Update these columns, or all, of the rows with the `id` in `b_id` and the `version` in `b_version`.

        Where one is not there, `run` raises `missed`.
        """
        self._add(_Write(table, update_version(table, self._dialect, columns), rows, missed))

    def delete(self, table: Table, keys: Collection[str]) -> None:
        """Delete the rows with these values of `id`, as far as there are any."""
        self._add(_Write(table, delete_from(table, self._dialect), [{"id": key} for key in keys]))

    def run(self) -> None:
        """Write all of it. Raises what an update raises that does not hit all its rows."""
        writes, self._writes = self._writes, []
        hits = run_all(self._connection, [(write.bulk, write.rows) for write in writes])
        for (table, _, rows, missed), hit in zip(writes, hits, strict=True):
            if missed and hit != len(rows):
                raise missed(f"{len(rows) - hit} of {len(rows)} {table.name} were changed by somebody else")

    def _add(self, write: _Write) -> None:
        if write.rows:
            self._writes.append(write)
