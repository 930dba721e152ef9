"""The inbox: what was applied already, so that a message that comes twice takes effect once."""

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Connection, Table

from services.chassis.statements import fetch_by_key, insert_into, key_list


class Inbox:
    """Ids of applied envelopes. The id is taken in the same transaction as the effect."""

    def __init__(self, connection: Connection, table: Table, now: datetime, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._table = table
        self._now = now
        self._changed = changed
        self._known: dict[str, bool] = {}
        self._taken: list[str] = []

    def preload(self, keys: Iterable[str]) -> None:
        """Look up which of these ids were applied."""
        unknown = [key for key in keys if key not in self._known]
        if not unknown:
            return
        self._known.update(dict.fromkeys(unknown, False))
        fetch = fetch_by_key(self._table, self._connection.dialect)
        for row in fetch.run(self._connection, {"keys": key_list(unknown)}):
            self._known[row["id"]] = True

    def take(self, key: str) -> bool:
        """True when `key` is new; it is remembered with this transaction."""
        if key not in self._known:
            self.preload((key,))
        if self._known[key]:
            return False
        self._known[key] = True
        self._taken.append(key)
        # a handler that fails afterwards must not leave its envelope marked as applied
        self._changed()
        return True

    def flush(self) -> None:
        """Write the ids taken."""
        if self._taken:
            rows = [{"id": key, "applied_at": self._now} for key in self._taken]
            insert_into(self._table, self._connection.dialect).run(self._connection, rows)
            self._taken = []
