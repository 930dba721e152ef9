"""Statements compiled once: what a hot path needs of SQLAlchemy, without its price per row and per run.

SQLAlchemy writes the SQL and knows how each column's type is converted; the rows then go to the driver, and come
from it, as they are. For rows of twenty columns this takes a third of the time of `Connection.execute`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    bindparam,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from services.chassis.database.drivers import DRIVERS

Values = dict[str, Any]

DOUBLE = 701
"""PostgreSQL's number of the type of all our fractions, which its driver would tell with each result."""


class Row(Protocol):
    """A row of a result: its values by column name."""

    def keys(self) -> Iterable[str]:
        """The columns' names."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column."""


class KeyList(TypeDecorator[Collection[str]]):
    """Keys as one parameter, so that the statement is the same however many there are."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(String) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> Any:
        keys = [*(value or ())]
        if dialect.name == "postgresql":
            return keys
        # MariaDB's driver writes a tuple out; NULL is equal to nothing
        return json.dumps(keys) if dialect.name == "sqlite" else tuple(keys) or (None,)


class _Among(FunctionElement[bool]):
    """One of the keys in a parameter."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        # where a database has no booleans SQLAlchemy would write "… = 1", which no index serves
        return self


@compiles(_Among)
def _compile_among(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, keys = (compiler.process(clause, **options) for clause in element.clauses)
    return AMONG[compiler.dialect.name].format(column=column, keys=keys)


AMONG = {
    "sqlite": "{column} IN (SELECT value FROM json_each({keys}))",
    "postgresql": "{column} = ANY ({keys})",
    "mariadb": "{column} IN {keys}",
}


def among(column: ColumnElement[Any], parameter: str = "keys") -> ColumnElement[bool]:
    """`column` is one of the keys in `parameter`, a collection of texts."""
    return _Among(column, bindparam(parameter, type_=KeyList()))


class Fetch:
    """A SELECT whose rows come as dictionaries."""

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        compiled = positional(statement, None, dialect)
        self._driver = DRIVERS[dialect.name]
        self._sql = str(compiled)
        self._parameters: tuple[str, ...] = tuple(compiled.positiontup)
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}
        self._bind = bind_converters(compiled, self._parameters, dialect)
        columns = list(statement.selected_columns)
        self._names = [column.name for column in columns]
        self._converters = [
            (column.name, convert)
            for column in columns
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, DOUBLE))
        ]

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> list[Values]:
        """The rows found."""
        given = {**self._constants, **parameters}
        for name, convert in self._bind.items():
            given[name] = convert(given[name])
        rows = self._driver.fetch(connection, self._sql, [given[name] for name in self._parameters])
        found = [dict(zip(self._names, row, strict=True)) for row in rows]
        for name, convert in self._converters:
            for row in found:
                if row[name] is not None:
                    row[name] = convert(row[name])
        return found


@lru_cache(maxsize=128)
def fetch(statement: Select[Any], dialect: Dialect) -> Fetch:
    """The one `Fetch` of a statement for a dialect."""
    return Fetch(statement, dialect)


@lru_cache(maxsize=64)
def _by_key(table: Table, *, lock: bool) -> Select[Any]:
    statement = select(table).where(among(table.c.id))
    # in one order everywhere: two transactions that need the same rows then wait, instead of for each other
    return statement.order_by(table.c.id).with_for_update() if lock else statement


def rows_by_key(connection: Connection, table: Table, keys: Collection[str], *, lock: bool = False) -> list[Values]:
    """The rows of a table whose `id` is among `keys`; `lock` keeps others from changing them before the commit."""
    lock = lock and connection.dialect.name != "sqlite"
    return fetch(_by_key(table, lock=lock), connection.dialect).run(connection, {"keys": keys})


def row_by_key(connection: Connection, table: Table, key: str) -> Values | None:
    """The row of a table with this `id`, or None."""
    found = rows_by_key(connection, table, (key,))
    return found[0] if found else None


class remembering(dict[Any, Any]):  # noqa: N801 - used like a function
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


def bind_converters(compiled: Any, names: Iterable[str], dialect: Dialect) -> dict[str, Callable[[Any], Any]]:
    return {
        name: convert if isinstance(kind, JSON | KeyList) else remembering(convert)
        for name in names
        if (convert := (kind := compiled.binds[name].type).dialect_impl(dialect).bind_processor(dialect))
    }


def positional(statement: Any, columns: Iterable[str] | None, dialect: Dialect) -> Any:
    compiled = statement.compile(dialect=dialect, column_keys=None if columns is None else list(columns))
    if not compiled.positional:
        raise ValueError(f"{dialect.name}'s driver does not take parameters by position")
    return compiled
