"""Statements compiled once: what a hot path needs of SQLAlchemy, without its price per row and per run.

SQLAlchemy writes the SQL and knows how each column's type is converted; the rows then go to the driver, and come
from it, as they are. For rows of twenty columns this takes a third of the time of `Connection.execute`.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import JSON, ColumnElement, Connection, Select, String, Table, bindparam, delete, insert, select
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.functions import FunctionElement

Values = dict[str, Any]


class Row(Protocol):
    """A row of a result: its values by column name."""

    def keys(self) -> Iterable[str]:
        """The columns' names."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column."""


class _Keys(FunctionElement[str]):
    """A list of keys as one parameter, so that the statement is the same however many there are."""

    inherit_cache = True


@compiles(_Keys, "sqlite")
def _sqlite_keys(element: _Keys, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **options)}))"  # noqa: S608 - no input


def among(column: ColumnElement[Any], parameter: str = "keys") -> ColumnElement[bool]:
    """`column` is one of the keys in `parameter`, which is given as `key_list(keys)`."""
    condition: ColumnElement[bool] = column.op("IN", is_comparison=True)(_Keys(bindparam(parameter, type_=String)))
    return condition


def key_list(keys: Iterable[str]) -> str:
    """The value of an `among` parameter."""
    return json.dumps([*keys])


class Bulk:
    """An INSERT, UPDATE or DELETE that is run for many rows at once."""

    def __init__(self, statement: UpdateBase, columns: Iterable[str], dialect: Dialect) -> None:
        compiled = _positional(statement, columns, dialect)
        self._sql = str(compiled)
        names = compiled.positiontup
        self._in_order: Callable[[Values], Any] = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        self._converters = {
            name: convert if isinstance(kind, JSON) else _remembering(convert)
            for name in names
            if (convert := (kind := compiled.binds[name].type).dialect_impl(dialect).bind_processor(dialect))
        }

    def run(self, connection: Connection, rows: list[Values]) -> int:
        """Run for all rows; gives how many rows of the table were hit. Takes the dictionaries over."""
        for name, convert in self._converters.items():
            for row in rows:
                row[name] = convert(row[name])
        return driver(connection).executemany(self._sql, map(self._in_order, rows)).rowcount


class Fetch:
    """A SELECT whose rows come as dictionaries."""

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        compiled = _positional(statement, None, dialect)
        self._sql = str(compiled)
        self._parameters: tuple[str, ...] = tuple(compiled.positiontup)
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}
        columns = list(statement.selected_columns)
        self._names = [column.name for column in columns]
        self._converters = [
            (column.name, convert)
            for column in columns
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> list[Values]:
        """The rows found."""
        given = self._constants | {**parameters}
        values = tuple(given[name] for name in self._parameters)
        rows = driver(connection).execute(self._sql, values).fetchall()
        found = [dict(zip(self._names, row, strict=True)) for row in rows]
        for name, convert in self._converters:
            for row in found:
                if row[name] is not None:
                    row[name] = convert(row[name])
        return found


class _remembering(dict[Any, Any]):  # noqa: N801 - used like a function
    """Converts equal values, such as the times of one transaction, only once."""

    def __init__(self, convert: Callable[[Any], Any]) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, value: Any) -> Any:
        if len(self) >= 1000:
            self.clear()
        converted = self[value] = self._convert(value)
        return converted

    def __call__(self, value: Any) -> Any:
        return self[value]


def driver(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection, inside the same transaction. Its errors are the driver's."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - the one driver there is so far
    return raw


def _positional(statement: Any, columns: Iterable[str] | None, dialect: Dialect) -> Any:
    compiled = statement.compile(dialect=dialect, column_keys=None if columns is None else list(columns))
    if not compiled.positional:
        raise ValueError(f"{dialect.name}'s driver does not take parameters by position")
    return compiled


@lru_cache(maxsize=64)
def bulk(statement: UpdateBase, columns: tuple[str, ...], dialect: Dialect) -> Bulk:
    """The one `Bulk` of a statement for a dialect."""
    return Bulk(statement, columns, dialect)


@lru_cache(maxsize=64)
def fetch(statement: Select[Any], dialect: Dialect) -> Fetch:
    """The one `Fetch` of a statement for a dialect."""
    return Fetch(statement, dialect)


@lru_cache(maxsize=64)
def insert_into(table: Table, dialect: Dialect) -> Bulk:
    """Inserts whole rows into a table."""
    return Bulk(insert(table), table.c.keys(), dialect)


@lru_cache(maxsize=64)
def fetch_by_key(table: Table, dialect: Dialect) -> Fetch:
    """The rows of a table whose `id` is among `keys`."""
    return Fetch(select(table).where(among(table.c.id)), dialect)


def row_by_key(connection: Connection, table: Table, key: str) -> Values | None:
    """The row of a table with this `id`, or None."""
    found = fetch_by_key(table, connection.dialect).run(connection, {"keys": key_list((key,))})
    return found[0] if found else None


@lru_cache(maxsize=64)
def delete_by_key(table: Table, dialect: Dialect) -> Bulk:
    """Deletes the rows of a table whose `id` is among `keys`."""
    return Bulk(delete(table).where(among(table.c.id)), (), dialect)
