"""All rows of all services that say something about a promise, read only."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, select

from services.chassis.database import Database
from services.chassis.statements import Fetch
from services.operations.catalogue import SERVICES, table

TABLES: Mapping[str, tuple[str, ...]] = {
    "reception": ("receptions", "lines", "customers", "early_orders"),
    "seat": ("seatings", "tables", "floors"),
    "management": ("orders", "stores", "tables"),
    "dashboard": ("receptions", "lines", "tables", "availabilities", "stores"),
    "notification": ("notices", "receptions", "stores"),
}
SHARED = ("outbox", "timers", "dead_letters")

OPEN = frozenset({"REQUESTED", "WAITING", "CALLED", "SEATED"})

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Books:
    """All rows that matter, of all services, each service as of one moment."""

    rows: Mapping[tuple[str, str], list[Row]]

    def of(self, service: str, table: str) -> list[Row]:
        """All rows of a table."""
        return self.rows[service, table]

    def by_id(self, service: str, table: str) -> dict[str, Row]:
        """All rows of a table by their ids."""
        return {row["id"]: row for row in self.of(service, table)}

    @cached_property
    def receptions(self) -> dict[str, Row]:
        """The arbiter's view."""
        return self.by_id("reception", "receptions")

    @cached_property
    def told(self) -> Counter[tuple[str, str, int]]:
        """How many notices there are by reception, purpose and round."""
        notices = self.of("notification", "notices")
        return Counter((row["reception_id"], row["purpose"], row["round"]) for row in notices)


Check = Callable[[Books], Iterator[str]]


async def read(databases: Mapping[str, Database]) -> Books:
    """The books in the databases of all services, by service. Raises what the databases raise."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for service in SERVICES:
        rows.update(await databases[service].scan(partial(_read, service)))
    return Books(rows)


def _read(service: str, connection: Connection) -> dict[tuple[str, str], list[Row]]:
    return {(service, name): _rows(table(service, name), connection) for name in (*TABLES[service], *SHARED)}


def _rows(of: Table, connection: Connection) -> list[Row]:
    """All rows, without what is only bytes; compiled once for however many databases."""
    key = (of, connection.dialect.name)
    if key not in _fetches:
        columns = (column for column in of.columns if not isinstance(column.type, LargeBinary))
        _fetches[key] = Fetch(select(*columns).order_by(of.c.id), connection.dialect)
    return [*_fetches[key].run(connection, {})]


_fetches: dict[tuple[Table, str], Fetch] = {}


def listed(ids: Iterable[str]) -> str:
    """Ids as people read them."""
    return ", ".join(sorted(ids)) or "none"
