"""Durable timers: rows with a due time, fired once, also after a crash."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, MetaData, Table, delete, select

from services.chassis.clock import Clock
from services.chassis.crash import crash_point
from services.chassis.database import Database
from services.chassis.kernel import DomainError, StorageBusy, StorageFull
from services.chassis.logs import get_logger
from services.chassis.writes import Writes

log = get_logger(__name__)

RETRY_SECONDS = 1.0

LOOK_EVERY = timedelta(seconds=5)
"""Another process may have set a timer and be gone."""


class DueTimer(NamedTuple):
    """A timer whose time has come."""

    kind: str
    key: str
    due_at: datetime


class Timers:
    """Sets and cancels timers with the transaction. One per (kind, key)."""

    def __init__(self, connection: Connection, table: Table, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._table = table
        self._changed = changed
        self._pending: dict[str, dict[str, object] | None] = {}
        self.earliest: datetime | None = None

    def set(self, kind: str, key: str, due_at: datetime) -> None:
        """Fire `kind` for `key` at `due_at`; replaces an earlier time."""
        self._pending[f"{kind}:{key}"] = {"kind": kind, "key": key, "due_at": due_at}
        self.earliest = due_at if self.earliest is None else min(self.earliest, due_at)
        self._changed()

    def cancel(self, kind: str, key: str) -> None:
        """Do not fire; nothing happens when no such timer is set."""
        self._pending[f"{kind}:{key}"] = None
        self._changed()

    def claim(self, timer: DueTimer) -> bool:
        """Take a due timer with this transaction; False when it was fired, moved or canceled meanwhile."""
        if self._pending:
            writes = Writes(self._connection)
            self.flush(writes)
            writes.run()
        columns = self._table.c
        statement = delete(self._table).where(columns.id == f"{timer.kind}:{timer.key}", columns.due_at == timer.due_at)
        return self._connection.execute(statement).rowcount == 1

    def preload(self, keys: Iterable[str]) -> None:
        """Nothing to load: timers are only written."""

    def flush(self, writes: Writes) -> None:
        """Hand over the timers set and canceled."""
        writes.replace(self._table, [{"id": key, **row} for key, row in self._pending.items() if row is not None])
        writes.delete(self._table, [key for key, row in self._pending.items() if row is None])
        self._pending = {}


class TimerLoop:
    """Fires due timers, each in a transaction of its own kind of work."""

    def __init__(
        self, database: Database, tables: MetaData, clock: Clock, fire: Callable[[DueTimer], Awaitable[None]]
    ) -> None:
        self._database = database
        self._table = tables.tables["timers"]
        self._clock = clock
        self._fire = fire
        self._wake = asyncio.Event()
        self._next_at: datetime | None = None

    def wake(self, set_for: datetime | None) -> None:
        """Timers were set, the earliest of them for this time: look again, unless that is later than the next."""
        if set_for is not None and (self._next_at is None or set_for < self._next_at):
            self._wake.set()

    async def serve(self) -> None:
        """Fire until cancelled."""
        while True:
            self._wake.clear()
            self._next_at = None
            try:
                due, self._next_at = await self._database.look(self._look)
            except DomainError as error:
                log.warning("timers not read", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if due:
                await self._fire_all(due)
            else:
                await self._sleep_until(self._bounded(self._next_at))

    def _bounded(self, moment: datetime | None) -> datetime | None:
        if not self._database.shared:
            return moment
        look_at = self._clock.now() + LOOK_EVERY
        return look_at if moment is None else min(moment, look_at)

    async def _fire_all(self, due: list[DueTimer]) -> None:
        results = await asyncio.gather(*map(self._fire_one, due), return_exceptions=True)
        ended = zip(due, results, strict=True)
        failures = [(timer, result) for timer, result in ended if isinstance(result, Exception)]
        for timer, failure in failures:
            fields = {"kind": timer.kind, "correlation_id": timer.key}
            if isinstance(failure, StorageBusy | StorageFull):
                log.warning("timer waits for its database", error=failure.reason, **fields)
            else:
                log.error("timer failed", error=type(failure).__name__, exc_info=failure, **fields)
        if failures:
            # its row is still there; it must not spin
            await asyncio.sleep(RETRY_SECONDS)

    async def _fire_one(self, timer: DueTimer) -> None:
        crash_point("timer.before_fire")
        await self._fire(timer)
        crash_point("timer.after_fire")

    async def _sleep_until(self, moment: datetime | None) -> None:
        waiters: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._wake.wait())]
        if moment is not None:
            waiters.append(asyncio.ensure_future(self._clock.sleep_until(moment)))
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()

    def _look(self, connection: Connection) -> tuple[list[DueTimer], datetime | None]:
        columns = self._table.c
        now = self._clock.now()
        statement = select(columns.kind, columns.key, columns.due_at).order_by(columns.due_at).limit(256)
        timers = [DueTimer(*row) for row in connection.execute(statement)]
        due = [timer for timer in timers if timer.due_at <= now]
        return due, timers[0].due_at if timers and not due else None
