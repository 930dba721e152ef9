"""What the drivers themselves can do, faster than through SQLAlchemy's layers, inside the same transaction.

Of the drivers that are asynchronous, the answers are awaited in the greenlet that SQLAlchemy runs the work in.
Errors are the drivers' own.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.util import await_

from services.chassis.database.sqlite import sqlite_connection

Rows = Sequence[Sequence[Any]]


class Driver(Protocol):
    """Runs SQL text with parameters by position."""

    def fetch(self, connection: Connection, sql: str, values: Sequence[Any]) -> Rows:
        """The rows of a query."""

    def execute(self, connection: Connection, sql: str, values: Sequence[Any]) -> int:
        """Run one statement; gives how many rows were hit."""

    def execute_many(self, connection: Connection, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement for many rows; gives how many rows were hit in all."""


class Sqlite:
    """The driver of the standard library."""

    def fetch(self, connection: Connection, sql: str, values: Sequence[Any]) -> Rows:
        return sqlite_connection(connection).execute(sql, values).fetchall()

    def execute(self, connection: Connection, sql: str, values: Sequence[Any]) -> int:
        return sqlite_connection(connection).execute(sql, values).rowcount

    def execute_many(self, connection: Connection, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        return sqlite_connection(connection).executemany(sql, rows).rowcount


class Asyncpg:
    """PostgreSQL's driver; it keeps prepared statements by their text."""

    def fetch(self, connection: Connection, sql: str, values: Sequence[Any]) -> Rows:
        rows: Rows = await_(_raw(connection).fetch(sql, *values))
        return rows

    def execute(self, connection: Connection, sql: str, values: Sequence[Any]) -> int:
        # its answer is the command's tag, such as "UPDATE 3"
        tag: str = await_(_raw(connection).execute(sql, *values))
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    def execute_many(self, connection: Connection, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        return sum(self.execute(connection, sql, row) for row in rows)


class Asyncmy:
    """MariaDB's driver; of many rows to insert it makes one statement."""

    def fetch(self, connection: Connection, sql: str, values: Sequence[Any]) -> Rows:
        async def run() -> Rows:
            async with _raw(connection).cursor() as cursor:
                await cursor.execute(sql, values)
                rows: Rows = await cursor.fetchall()
                return rows

        return await_(run())

    def execute(self, connection: Connection, sql: str, values: Sequence[Any]) -> int:
        async def run() -> int:
            async with _raw(connection).cursor() as cursor:
                hits: int = await cursor.execute(sql, values)
                return hits

        return await_(run())

    def execute_many(self, connection: Connection, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        async def run() -> int:
            async with _raw(connection).cursor() as cursor:
                hits: int = await cursor.executemany(sql, [*rows])
                return hits

        return await_(run())


DRIVERS: dict[str, Driver] = {"sqlite": Sqlite(), "postgresql": Asyncpg(), "mariadb": Asyncmy()}


def _raw(connection: Connection) -> Any:
    return connection.connection.driver_connection
