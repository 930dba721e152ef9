"""The atomic piece of work: everything that one transaction reads, changes and announces."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, MetaData, Table

from services.chassis.audit import TABLE, Trail
from services.chassis.idempotency import Requests
from services.chassis.inbox import Inbox
from services.chassis.kernel import Aggregate
from services.chassis.messages import Message
from services.chassis.outbox import Outbox
from services.chassis.rows import Rows
from services.chassis.statements import Row
from services.chassis.timers import Timers
from services.chassis.writes import Writes

A = TypeVar("A", bound=Aggregate)

Needs = Mapping[str, Iterable[str]]
"""What a piece of work will ask for: collection → keys. Loaded for a whole batch in one statement each."""


class Collection(Protocol):
    """Something that is read before the work and written after it."""

    def preload(self, keys: Iterable[str]) -> None:
        """Load these keys in one statement."""

    def flush(self, writes: Writes) -> None:
        """Hand over what changed."""


@dataclass(slots=True)
class Surroundings:
    """What a unit of work needs to know of its service."""

    source: str
    tables: MetaData
    marked: bool = False
    """Whether transactions leave a mark, by which a commit that nobody confirmed can be found out."""


@dataclass(slots=True)
class Changes:
    """Counts changes, so that a batch knows whether a failed member left any."""

    count: int = 0
    signals: set[str] = field(default_factory=set)


class UnitOfWork:
    """One transaction's repositories, outbox, inbox, requests and timers.

    A service derives from it and adds its repositories with `rows` or `collection`; their names are what
    `Needs` speak of. Statements that look for anything but a key must call `flush` first.
    """

    def __init__(self, connection: Connection, now: datetime, around: Surroundings) -> None:
        self.connection = connection
        self.now = now
        self._tables = around.tables
        self._marked = around.marked
        self.changes = Changes()
        self._collections: dict[str, Collection] = {}
        tables = around.tables.tables
        self.outbox = self.collection("outbox", Outbox(connection, tables["outbox"], around.source, now, self._count))
        self.inbox = self.collection("inbox", Inbox(connection, tables["inbox"], now, self._count))
        self.requests = self.collection("requests", Requests(connection, tables["requests"], now))
        self.timers = self.collection("timers", Timers(connection, tables["timers"], self._count))
        self.trail = self.collection("trail", Trail(tables[TABLE], now)) if TABLE in tables else None

    C = TypeVar("C", bound=Collection)

    def collection(self, name: str, collection: C) -> C:
        """Register a collection under the name by which needs ask for it."""
        self._collections[name] = collection
        return collection

    def rows(
        self,
        name: str,
        table: Table,
        *,
        key: Callable[[A], str],
        to_row: Callable[[A], dict[str, Any]],
        from_row: Callable[[Row], A],
        messages: Callable[[A], Iterable[Message]],
    ) -> Rows[A]:
        """Register a table of aggregates whose events become `messages(aggregate)` when it is saved."""

        def announce(aggregate: A) -> None:
            for message in messages(aggregate):
                self.outbox.add(message)

        return self.collection(
            name,
            Rows(
                self.connection,
                table,
                key=key,
                to_row=to_row,
                from_row=from_row,
                announce=announce,
                changed=self._count,
            ),
        )

    def table(self, name: str) -> Table:
        """A table of the service, for statements that no repository has."""
        return self._tables.tables[name]

    def signal(self, topic: str) -> None:
        """Wake whoever waits for `topic`, in this process and in the service's others, once committed."""
        self.changes.signals.add(topic)

    def preload(self, needs: Iterable[Needs]) -> None:
        """Load what a batch will ask for, one statement per collection."""
        merged: dict[str, dict[str, None]] = {}
        for need in needs:
            for name, keys in need.items():
                merged.setdefault(name, {}).update(dict.fromkeys(keys))
        if unknown := merged.keys() - self._collections.keys():
            raise KeyError(f"nothing is called {', '.join(unknown)}")
        # always in one order: transactions that lock the same rows must not wait for each other
        for name, collection in self._collections.items():
            if name in merged:
                collection.preload(merged[name])

    def flush(self) -> None:
        """Write everything. Raises `Conflict`."""
        writes = Writes(self.connection)
        for collection in self._collections.values():
            collection.flush(writes)
        writes.run()

    def finish(self) -> None:
        """Write everything, for the last time."""
        if self._marked and self.changes.count:
            self.inbox.mark()
        self.flush()

    def took_effect(self, connection: Connection) -> bool:
        """Whether this transaction, whose commit nobody confirmed, was committed; asked in another one."""
        return self.inbox.is_marked(connection)

    def _count(self) -> None:
        self.changes.count += 1
