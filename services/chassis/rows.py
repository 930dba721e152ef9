"""Aggregates as rows: an identity map over one table, read in one statement and written in one."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Table

from services.chassis.kernel import Aggregate, NotFound
from services.chassis.statements import Row, rows_by_key
from services.chassis.writes import Writes

A = TypeVar("A", bound=Aggregate)

# SQLite and PostgreSQL both take thousands of parameters; smaller chunks keep statements cacheable
CHUNK = 500


class Rows(Generic[A]):
    """A collection of aggregates in a table with the columns `id` and `version`.

    Within one unit of work the same id is always the same object. Nothing is written before `flush`; an
    update that does not hit the version that was loaded raises `Conflict`.
    """

    def __init__(
        self,
        connection: Connection,
        table: Table,
        *,
        key: Callable[[A], str],
        to_row: Callable[[A], dict[str, Any]],
        from_row: Callable[[Row], A],
        announce: Callable[[A], None],
        changed: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._table = table
        self._key = key
        self._to_row = to_row
        self._from_row = from_row
        self._announce = announce
        self._changed = changed
        self._known: dict[str, A | None] = {}
        self._loaded_version: dict[str, int] = {}
        self._dirty: dict[str, None] = {}
        self._removed: dict[str, None] = {}

    def preload(self, keys: Iterable[str]) -> None:
        """Load what is not yet known of `keys`, in one statement."""
        unknown = [key for key in dict.fromkeys(keys) if key not in self._known]
        for start in range(0, len(unknown), CHUNK):
            chunk = unknown[start : start + CHUNK]
            self._known.update(dict.fromkeys(chunk))
            # nobody else changes them before this transaction's end
            self.adopt(rows_by_key(self._connection, self._table, chunk, lock=True))

    def adopt(self, rows: Iterable[Row]) -> list[A]:
        """Turn rows of a query over this table into aggregates; one that is already known stays as it is."""
        found = []
        for row in rows:
            key = row["id"]
            known = self._known.get(key)
            if known is None and key not in self._removed:
                known = self._known[key] = self._from_row(row)
                self._loaded_version[key] = known.version
            if known is not None:
                found.append(known)
        return found

    def find(self, key: str) -> A | None:
        """The aggregate, or None when there is none."""
        if key not in self._known:
            self.preload((key,))
        return self._known[key]

    def get(self, key: str, name: str | None = None) -> A:
        """The aggregate. Raises `NotFound`, telling `name` where it differs from the key."""
        found = self.find(key)
        if found is None:
            raise NotFound(f"{name or key} does not exist")
        return found

    def save(self, aggregate: A) -> None:
        """Keep a new or changed aggregate and announce its events."""
        key = self._key(aggregate)
        aggregate.version += 1
        self._known[key] = aggregate
        self._dirty[key] = None
        self._removed.pop(key, None)
        self._changed()
        self._announce(aggregate)
        aggregate.events.clear()

    def remove(self, aggregate: A) -> None:
        """Forget an aggregate for good."""
        key = self._key(aggregate)
        self._known[key] = None
        self._dirty.pop(key, None)
        if key in self._loaded_version:
            self._removed[key] = None
        self._changed()

    def flush(self, writes: Writes) -> None:
        """Hand over what was saved or removed since the last flush."""
        inserts, updates = [], []
        for key in self._dirty:
            aggregate = self._known[key]
            assert aggregate is not None  # noqa: S101 - a removed aggregate is not dirty
            row = self._to_row(aggregate) | {"version": aggregate.version}
            if key in self._loaded_version:
                updates.append(row | {"b_id": key, "b_version": self._loaded_version[key]})
            else:
                inserts.append(row | {"id": key})
            self._loaded_version[key] = aggregate.version
        self._dirty.clear()
        writes.insert(self._table, inserts)
        writes.update(self._table, updates)
        writes.delete(self._table, self._removed)
        for key in self._removed:
            self._loaded_version.pop(key, None)
        self._removed.clear()
