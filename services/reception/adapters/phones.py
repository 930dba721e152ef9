"""Numbers at rest, apart from the receptions they belong to: to seal or to delete one is no change of a reception."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from services.reception.adapters.tables import receptions

NOTHING = {"phone": "", "phone_sealed": "", "phone_key": "", "phone_masked": "", "customer_key": ""}

_columns = receptions.c
_left_at = func.coalesce(_columns.closed_at, _columns.seated_at)
_KEYED = (_columns.id, _columns.customer_id, _columns.customer_key, _columns.phone, _columns.phone_sealed)


class SqlPhones:
    """The numbers that one transaction seals or deletes. It has to have the receptions for itself."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def forget(self, left_before: datetime, limit: int) -> list[tuple[str, str]]:
        """Delete the numbers of parties that had left by then; gives their receptions, and by which key each was known.

        `limit` at most.
        """
        found: list[Any] = []
        for key in keys_in_use(self._connection):
            statement = select(_columns.id, _columns.customer_key).where(*_overdue(key, left_before))
            some = statement.order_by(_columns.created_at).limit(limit - len(found))
            found += self._connection.execute(some.with_for_update(skip_locked=True)).all()
        ids = [id_ for id_, _ in found]
        self._connection.execute(update(receptions).where(_columns.id.in_(ids)).values(NOTHING))
        return [(id_, customer_key) for id_, customer_key in found]

    def sealed_by(self, keys: Sequence[str], limit: int) -> list[RowMapping]:
        """Rows with numbers that are sealed by these keys, those of the newest parties first; `limit` at most."""
        found: list[RowMapping] = []
        for key in keys:
            statement = select(*_KEYED).where(_columns.phone_key == key).order_by(_columns.created_at.desc())
            some = statement.limit(limit - len(found)).with_for_update(skip_locked=True)
            found += self._connection.execute(some).mappings()
        return found

    def replace(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write columns of the rows with the ids in `b_id`."""
        if rows:
            names = [name for name in rows[0] if name != "b_id"]
            values: dict[str, Any] = {name: bindparam(name) for name in names}
            self._connection.execute(update(receptions).where(_columns.id == bindparam("b_id")).values(values), rows)


def keys_in_use(connection: Connection) -> Iterator[str]:
    """The ids of all keys by which numbers are sealed, and `PLAIN`: one look into the index for each."""
    key = ""
    while key := connection.scalar(select(func.min(_columns.phone_key)).where(_columns.phone_key > key)) or "":
        yield key


def oldest_overdue(connection: Connection, left_before: datetime) -> datetime | None:
    """When the party left that should have been forgotten first; None when all that should be are."""
    found = [
        connection.scalar(select(_left_at).where(*_overdue(key, left_before)).order_by(_columns.created_at).limit(1))
        for key in keys_in_use(connection)
    ]
    return min((moment for moment in found if moment), default=None)


def _overdue(key: str, left_before: datetime) -> tuple[Any, ...]:
    # who left had come before: that is in the index
    return _columns.phone_key == key, _columns.created_at < left_before, _left_at < left_before
