"""The inbox: what was applied already, so that a message that comes twice takes effect once."""

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Connection, Table

from services.chassis.bulk import insert_if_new
from services.chassis.kernel import uuid7
from services.chassis.statements import rows_by_key
from services.chassis.writes import Writes


class Inbox:
    """Ids of applied envelopes. The id is taken in the same transaction as the effect."""

    def __init__(self, connection: Connection, table: Table, now: datetime, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._table = table
        self._now = now
        self._changed = changed
        self._known: dict[str, bool] = {}
        self._taken: list[str] = []
        self._mark: str | None = None

    def preload(self, keys: Iterable[str]) -> None:
        """Look up which of these ids were applied."""
        unknown = [key for key in keys if key not in self._known]
        if not unknown:
            return
        self._known.update(dict.fromkeys(unknown, False))
        for row in rows_by_key(self._connection, self._table, unknown):
            self._known[row["id"]] = True

    def take(self, key: str) -> bool:
        """True when `key` is new; it is remembered with this transaction."""
        if key not in self._known:
            self.preload((key,))
        if self._known[key]:
            return False
        self._known[key] = True
        self._taken.append(key)
        self._mark = key
        # a handler that fails afterwards must not leave its envelope marked as applied
        self._changed()
        return True

    def mark(self) -> None:
        """Leave a row that tells whether this transaction was committed, unless it leaves one anyway."""
        if self._mark is None:
            self._mark = uuid7()
            self._taken.append(self._mark)

    def is_marked(self, connection: Connection) -> bool:
        """Whether the mark is there; asked in another transaction, it waits for the one that leaves it."""
        row = {"id": self._mark, "applied_at": self._now}
        return self._mark is not None and not insert_if_new(connection, self._table, row)

    def flush(self, writes: Writes) -> None:
        """Hand over the ids taken."""
        writes.insert(self._table, [{"id": key, "applied_at": self._now} for key in self._taken])
        self._taken = []
