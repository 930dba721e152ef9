"""Statements for many rows at once: each compiled once, and on PostgreSQL several of them sent as one."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import (
    ARRAY,
    JSON,
    Connection,
    Select,
    String,
    Table,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.dml import UpdateBase

from services.chassis.database.drivers import DRIVERS
from services.chassis.statements import KeyList, Values, among, bind_converters, positional, remembering


class Bulk(Protocol):
    """An INSERT, UPDATE or DELETE that is run for many rows at once."""

    def run(self, connection: Connection, rows: list[Values]) -> int:
        """Run for all rows; gives how many rows of the table were hit. Takes the dictionaries over."""


class _RowByRow:
    """The driver gets the rows one by one, or makes one statement of them itself."""

    def __init__(self, statement: UpdateBase, columns: Iterable[str], dialect: Dialect) -> None:
        compiled = positional(statement, columns, dialect)
        self._driver = DRIVERS[dialect.name]
        self._sql = str(compiled)
        names = compiled.positiontup
        self._in_order: Callable[[Values], Any] = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        self._converters = bind_converters(compiled, names, dialect)

    def run(self, connection: Connection, rows: list[Values]) -> int:
        _convert(rows, self._converters)
        return self._driver.execute_many(connection, self._sql, map(self._in_order, rows))


class _Columnwise:
    """PostgreSQL gets each column's values as one array: one statement, one round trip, however many rows.

    `build(tag)` gives the statement, its parameters called like the columns, with `tag` in front.
    """

    def __init__(self, build: "_Build", dialect: Dialect) -> None:
        compiled = positional(build(""), None, dialect)
        self.build = build
        self.names: tuple[str, ...] = tuple(compiled.positiontup)
        self._driver = DRIVERS[dialect.name]
        self._sql = str(compiled)
        self._converters = {
            name: convert if isinstance(kind, JSON) else remembering(convert)
            for name in self.names
            if (convert := (kind := compiled.binds[name].type.item_type).dialect_impl(dialect).bind_processor(dialect))
        }

    def columns(self, rows: list[Values]) -> dict[str, list[Any]]:
        """The values of all rows by parameter. Takes the dictionaries over."""
        _convert(rows, self._converters)
        return {name: [row[name] for row in rows] for name in self.names}

    def run(self, connection: Connection, rows: list[Values]) -> int:
        return self._driver.execute(connection, self._sql, [*self.columns(rows).values()])


_Build = Callable[[str], UpdateBase]


class _Together:
    """Several such statements as one, each a WITH of it. No two of them may touch the same row."""

    def __init__(self, parts: Sequence[_Columnwise], dialect: Dialect) -> None:
        tagged = [(f"w{number}_", part) for number, part in enumerate(parts)]
        hit = [part.build(tag).returning(literal_column("1").label("hit")).cte(tag) for tag, part in tagged]
        counts = select(*(select(func.count()).select_from(each).scalar_subquery() for each in hit))
        compiled = positional(counts, None, dialect)
        self._driver = DRIVERS[dialect.name]
        self._sql = str(compiled)
        self._tagged = tagged
        self._names: tuple[str, ...] = tuple(compiled.positiontup)

    def run(self, connection: Connection, rows: Iterable[list[Values]]) -> list[int]:
        values: dict[str, list[Any]] = {}
        for (tag, part), rows_of_part in zip(self._tagged, rows, strict=True):
            values.update((f"{tag}{name}", column) for name, column in part.columns(rows_of_part).items())
        (hits,) = self._driver.fetch(connection, self._sql, [values[name] for name in self._names])
        return [*hits]


@lru_cache(maxsize=256)
def _together(parts: tuple[_Columnwise, ...], dialect: Dialect) -> _Together:
    return _Together(parts, dialect)


def run_all(connection: Connection, work: Sequence[tuple[Bulk, list[Values]]]) -> list[int]:
    """Run statements that touch different rows, with as few round trips as the database allows.

    Gives how many rows each of them hit.
    """
    parts = tuple(bulk for bulk, _ in work if isinstance(bulk, _Columnwise))
    if 1 < len(parts) == len(work):
        return _together(parts, connection.dialect).run(connection, [rows for _, rows in work])
    return [bulk.run(connection, rows) for bulk, rows in work]


@lru_cache(maxsize=64)
def insert_into(table: Table, dialect: Dialect) -> Bulk:
    """Inserts whole rows into a table."""
    names = table.c.keys()
    if dialect.name == "postgresql":
        return _Columnwise(lambda tag: insert(table).from_select(names, _new_rows(table, names, tag)), dialect)
    return _RowByRow(insert(table), names, dialect)


@lru_cache(maxsize=64)
def update_version(table: Table, dialect: Dialect, columns: tuple[str, ...] = ()) -> Bulk:
    """Updates these columns, or all, of the rows with the `id` in `b_id` whose `version` is the one in `b_version`."""
    names = columns or tuple(name for name in table.c.keys() if name != "id")  # noqa: SIM118 - not a dictionary
    if dialect.name == "postgresql":

        def build(tag: str) -> UpdateBase:
            new = _new_rows(table, names, tag, {"b_id": "id", "b_version": "version"}).subquery(f"{tag}new").c
            found = update(table).where(table.c.id == new.b_id, table.c.version == new.b_version)
            return found.values({name: new[name] for name in names})

        return _Columnwise(build, dialect)
    statement = update(table).where(table.c.id == bindparam("b_id"), table.c.version == bindparam("b_version"))
    return _RowByRow(statement.values({name: bindparam(name) for name in names}), names, dialect)


@lru_cache(maxsize=64)
def insert_newer(table: Table, dialect: Dialect) -> Bulk:
    """Inserts whole rows into a table; where it has the `id` already, the row with the greater `version` stays."""
    return _upsert(table, dialect, newer=True)


@lru_cache(maxsize=64)
def insert_or_replace(table: Table, dialect: Dialect) -> Bulk:
    """Inserts whole rows into a table, in place of those that have the same `id`."""
    return _upsert(table, dialect, newer=False)


# of the databases' own words only those are loaded that are used: it takes long, at every start


def _upsert(table: Table, dialect: Dialect, *, newer: bool) -> Bulk:
    names = table.c.keys()
    others = [name for name in names if name != "id"]
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        def build(tag: str) -> UpdateBase:
            to_table = postgresql.insert(table).from_select(names, _new_rows(table, names, tag))
            new = to_table.excluded
            where = new.version > table.c.version if newer else None
            return to_table.on_conflict_do_update(
                index_elements=["id"], set_={name: new[name] for name in others}, where=where
            )

        return _Columnwise(build, dialect)
    if dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        to_file = sqlite.insert(table)
        where = to_file.excluded.version > table.c.version if newer else None
        values = {name: to_file.excluded[name] for name in others}
        return _RowByRow(to_file.on_conflict_do_update(index_elements=["id"], set_=values, where=where), names, dialect)
    from sqlalchemy.dialects import mysql

    to_maria = mysql.insert(table)
    new = to_maria.inserted
    if not newer:
        return _RowByRow(to_maria.on_duplicate_key_update([(name, new[name]) for name in others]), names, dialect)
    # assigned from left to right, and each comparison is with the version as it then is
    last = sorted(others, key=lambda name: name == "version")
    pairs = [(name, func.if_(new.version > table.c.version, new[name], table.c[name])) for name in last]
    return _RowByRow(to_maria.on_duplicate_key_update(pairs), names, dialect)


def insert_if_new(connection: Connection, table: Table, row: Values) -> bool:
    """Insert a row unless its `id` is there; waits for another transaction that is about to insert it."""
    dialect = connection.dialect
    return _insert_if_new(table, dialect).run(connection, [row]) == 1


@lru_cache(maxsize=16)
def _insert_if_new(table: Table, dialect: Dialect) -> Bulk:
    names = table.c.keys()
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        def build(tag: str) -> UpdateBase:
            to_table = postgresql.insert(table).from_select(names, _new_rows(table, names, tag))
            return to_table.on_conflict_do_nothing(index_elements=["id"])

        return _Columnwise(build, dialect)
    if dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return _RowByRow(sqlite.insert(table).on_conflict_do_nothing(index_elements=["id"]), names, dialect)
    return _RowByRow(insert(table).prefix_with("IGNORE"), names, dialect)


class _DeleteAmong:
    """All keys are one parameter."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._driver = DRIVERS[dialect.name]
        self._sql = str(positional(delete(table).where(among(table.c.id)), (), dialect))
        convert = KeyList().bind_processor(dialect)
        assert convert is not None  # noqa: S101 - a type of ours converts
        self._convert = convert

    def run(self, connection: Connection, rows: list[Values]) -> int:
        return self._driver.execute(connection, self._sql, (self._convert([row["id"] for row in rows]),))


@lru_cache(maxsize=64)
def delete_from(table: Table, dialect: Dialect) -> Bulk:
    """Deletes the rows of a table with these values of `id`."""
    if dialect.name == "postgresql":

        def build(tag: str) -> UpdateBase:
            return delete(table).where(table.c.id == any_(bindparam(f"{tag}id", type_=ARRAY(String))))

        return _Columnwise(build, dialect)
    return _DeleteAmong(table, dialect)


def delete_keys(connection: Connection, table: Table, keys: Collection[str]) -> int:
    """Delete the rows of a table whose `id` is among `keys`; gives how many there were."""
    return delete_from(table, connection.dialect).run(connection, [{"id": key} for key in keys])


def _new_rows(table: Table, names: Iterable[str], tag: str, more: Mapping[str, str] | None = None) -> Select[Any]:
    """Rows made of arrays: of the columns `names`, and of `more` names that have the type of a column."""
    columns = {name: name for name in names} | {**(more or {})}
    return select(
        *(
            func.unnest(bindparam(f"{tag}{name}", type_=ARRAY(table.c[column].type))).label(name)
            for name, column in columns.items()
        )
    )


def _convert(rows: list[Values], converters: Mapping[str, Callable[[Any], Any]]) -> None:
    for name, convert in converters.items():
        for row in rows:
            row[name] = convert(row[name])
