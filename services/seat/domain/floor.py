"""The floor: a store's policy for its tables, and how many are free."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from services.chassis.kernel import Aggregate
from services.seat.domain.events import AvailabilityChanged
from services.seat.domain.table import Table

MAX_TABLES = 1000


class SeatingMode(Enum):
    """Who gets a free table."""

    COMPATIBLE_FIFO = "COMPATIBLE_FIFO"
    STRICT_FIFO = "STRICT_FIFO"
    BY_HAND = "BY_HAND"


@dataclass(frozen=True, slots=True)
class StoreNews:
    """What management tells of a store, as far as tables are concerned."""

    store_id: str
    version: int
    mode: SeatingMode
    call_timeout: timedelta


@dataclass(kw_only=True)
class Floor(Aggregate):
    """A store's policy and its free seats. `store_version` is 0 while the store is unknown."""

    store_id: str
    store_version: int = 0
    mode: SeatingMode = SeatingMode.COMPATIBLE_FIFO
    call_timeout: timedelta = timedelta(minutes=5)
    seats_remaining: int = 0
    tables_free: int = 0
    tables_total: int = 0
    largest_free_capacity: int = 0

    @property
    def name(self) -> str:
        """Resource name of its store."""
        return f"stores/{self.store_id}"

    def follow(self, news: StoreNews) -> None:
        """Take over the store's policy."""
        self.store_version = news.version
        self.mode = news.mode
        self.call_timeout = news.call_timeout

    def count(self, tables: Collection[Table]) -> bool:
        """Count what is free; True when that has changed."""
        free = [table.capacity for table in tables if table.is_free]
        counts = (sum(free), len(free), len(tables), max(free, default=0))
        if counts == (self.seats_remaining, self.tables_free, self.tables_total, self.largest_free_capacity):
            return False
        self.seats_remaining, self.tables_free, self.tables_total, self.largest_free_capacity = counts
        self.record(AvailabilityChanged())
        return True
