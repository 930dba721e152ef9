"""All rows of all services that say something about a promise, read only."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

SERVICES = ("reception", "seat", "management", "dashboard", "notification")

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


class Unreadable(Exception):
    """A database is missing or no database of ours; the text says which."""


Check = Callable[[Books], Iterator[str]]


def read(folder: Path) -> Books:
    """The books of a data folder. Raises `Unreadable`."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for service in SERVICES:
        file = folder / f"{service}.db"
        try:
            rows.update(_read(file, service))
        except sqlite3.Error as error:
            raise Unreadable(f"{file} cannot be read: {error}") from error
    return Books(rows)


def _read(file: Path, service: str) -> Iterator[tuple[tuple[str, str], list[Row]]]:
    address = f"{file.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for table in (*TABLES[service], *SHARED):
            # names are those above, none of anybody's choosing
            cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608
            names = [column[0] for column in cursor.description]
            yield (service, table), [dict(zip(names, row, strict=True)) for row in cursor]


def listed(ids: Iterable[str]) -> str:
    """Ids as people read them."""
    return ", ".join(sorted(ids)) or "none"
