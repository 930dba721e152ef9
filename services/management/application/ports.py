"""What the use cases need of a unit of work."""

from datetime import datetime
from typing import Protocol, TypeVar

from services.management.domain.order import Order
from services.management.domain.store import Store
from services.management.domain.table import Table

A = TypeVar("A")


class Collection(Protocol[A]):
    """Aggregates of one kind, by id."""

    def find(self, key: str) -> A | None:
        """The aggregate, or None when there is none."""

    def get(self, key: str, name: str | None = None) -> A:
        """The aggregate. Raises `NotFound`, telling `name`."""

    def save(self, aggregate: A) -> None:
        """Keep a new or changed aggregate and announce its events."""


class Timers(Protocol):
    """Durable timers, one per kind and key."""

    def set(self, kind: str, key: str, due_at: datetime) -> None:
        """Fire at `due_at`; replaces an earlier time."""

    def cancel(self, kind: str, key: str) -> None:
        """Do not fire."""


class UnitOfWork(Protocol):
    """One transaction."""

    @property
    def now(self) -> datetime: ...
    @property
    def stores(self) -> Collection[Store]: ...
    @property
    def orders(self) -> Collection[Order]: ...
    @property
    def tables(self) -> Collection[Table]: ...
    @property
    def timers(self) -> Timers: ...

    def next_in_line(self, store_id: str) -> Order | None:
        """The order that is called next, None when nobody waits."""

    def signal(self, topic: str) -> None:
        """Wake whoever waits for `topic`, once committed."""
