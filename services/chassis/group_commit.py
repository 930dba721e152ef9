"""Group commit: pieces of work that arrive while a transaction runs share the next one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from services.chassis.crash import crash_point
from services.chassis.database import Database
from services.chassis.kernel import Conflict, DeadlineExceeded, DomainError, StorageBusy, StorageFull, TooBusy
from services.chassis.pace import Pace
from services.chassis.telemetry import Telemetry
from services.chassis.tracing import Span, cause
from services.chassis.unit_of_work import Needs, UnitOfWork

U = TypeVar("U", bound=UnitOfWork)
T = TypeVar("T")


@dataclass(slots=True)
class Work(Generic[U]):
    """One caller's piece of a transaction."""

    run: Callable[[U], Any]
    needs: Needs
    weight: int
    called: bool
    deadline: float | None
    future: asyncio.Future[Any]
    span: Span | None = None

    def is_void(self) -> bool:
        """True when nobody waits for it any more."""
        return self.future.done() or (self.deadline is not None and time.monotonic() > self.deadline)


@dataclass(slots=True)
class Flush(Generic[U]):
    """What one transaction did."""

    unit: U
    outcomes: list[Any] = field(default_factory=list)


class GroupCommit(Generic[U]):
    """The one way to write to a service's database.

    `run` answers after the commit. Work runs in order of arrival, one transaction in flight. A lone piece of
    work never waits; under load transactions start some time apart, so that they grow. A member that raises
    `DomainError` before changing anything fails alone; on any other error the batch is rolled back and its
    members are run again one by one. While the database is too slow for its transactions they get smaller.
    """

    def __init__(
        self,
        database: Database,
        open_unit: Callable[[Connection], U],
        committed: Callable[[U], None],
        *,
        limit: int = 512,
        capacity: int = 4096,
        longest_pace_seconds: float = 0.2,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._database = database
        self._open_unit = open_unit
        self._committed = committed
        self._most = self._limit = limit
        self._capacity = capacity
        self._pace = Pace(longest_pace_seconds)
        self._waiting: deque[Work[U]] = deque()
        self._wake = asyncio.Event()
        self._weight = 0
        self._called = False
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def run(
        self,
        run: Callable[[U], T],
        needs: Needs | None = None,
        *,
        weight: int = 1,
        deadline: float | None = None,
        bounded: bool = True,
        patience: float = 0.0,
    ) -> asyncio.Future[T]:
        """Run `run` in a transaction shared with others; its result is there after the commit.

        `needs` names what it will load by key. `weight` is its share of a batch. `deadline` (monotonic
        seconds): past it, work that has not begun is dropped with `DeadlineExceeded`. `bounded` is what a
        caller waits for: it raises `TooBusy` when more than the capacity waits. `patience`: seconds that it may
        wait for other work, whose transaction it then shares.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if bounded and len(self._waiting) >= self._capacity:
            future.set_exception(TooBusy(f"{len(self._waiting)} pieces of work are waiting"))
            return future
        self._waiting.append(Work(run, needs or {}, weight, bounded, deadline, future, self._span(future)))
        self._weight += weight
        self._idle.clear()
        self._called |= bounded
        if self._called or self._weight >= self._limit:
            self._hurry.set()
        if patience:
            asyncio.get_running_loop().call_later(patience, self._wake.set)
        else:
            self._wake.set()
        return future

    @property
    def waiting(self) -> int:
        """Pieces of work that wait for a transaction."""
        return len(self._waiting)

    async def serve(self) -> None:
        """Run transactions until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._pause()
                if batch := self._take():
                    await self._flush(batch)
            self._idle.set()

    async def drained(self) -> None:
        """Return once nothing waits and nothing runs."""
        await self._idle.wait()

    async def _pause(self) -> None:
        """Let work gather, until it fills a transaction; work that nobody waits for longer, until somebody calls."""
        if self._weight < self._limit:
            if not self._called:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pace.pause_seconds(called=False)):
                        await self._hurry.wait()
            if self._called and self._weight < self._limit:
                await asyncio.sleep(self._pace.pause_seconds(called=True))
        self._called = False
        self._hurry.clear()

    def _take(self) -> list[Work[U]]:
        batch: list[Work[U]] = []
        weight = 0
        while self._waiting and (not batch or weight + self._waiting[0].weight <= self._limit):
            work = self._waiting.popleft()
            self._weight -= work.weight
            if not work.is_void():
                batch.append(work)
                weight += work.weight
            elif not work.future.done():
                work.future.set_exception(DeadlineExceeded("the deadline passed before the work began"))
        return batch

    async def _flush(self, batch: Sequence[Work[U]]) -> None:
        began = time.perf_counter()
        self._pace.start(sum(work.weight for work in batch))
        try:
            flush = await self._database.write(
                lambda connection: self._transaction(connection, batch),
                lambda connection, flush: flush.unit.took_effect(connection),
            )
        except (StorageBusy, StorageFull) as error:
            self._telemetry.metrics.transactions.add("failed")
            self._limit = max(1, sum(work.weight for work in batch) // 2)
            _fail(batch, error)
        except Exception as error:
            self._telemetry.metrics.transactions.add("refused" if isinstance(error, DomainError) else "failed")
            if len(batch) == 1:
                _fail(batch, error)
                return
            for work in batch:
                await self._flush([work])
        else:
            crash_point("commit.after")
            self._pace.end()
            self._limit = min(self._most, self._limit * 2)
            self._tell(batch, began)
            self._committed(flush.unit)
            _settle(batch, flush.outcomes)

    def _tell(self, batch: Sequence[Work[U]], began: float) -> None:
        metrics = self._telemetry.metrics
        metrics.transactions.add("committed")
        metrics.transaction_work.observe(len(batch))
        metrics.transaction_seconds.observe(time.perf_counter() - began)
        for work in batch:
            if work.span:
                work.span.note({"tabling.transaction_work": len(batch)})

    def _span(self, future: asyncio.Future[Any]) -> Span | None:
        if self._telemetry.tracer is None:
            return None
        span = self._telemetry.tracer.follow("transaction", "INTERNAL", cause.get())
        if span:
            future.add_done_callback(span.ended_by)
        return span

    def _transaction(self, connection: Connection, batch: Sequence[Work[U]]) -> Flush[U]:
        unit = self._open_unit(connection)
        unit.preload(work.needs for work in batch)
        flush = Flush(unit)
        alone = len(batch) == 1
        for work in batch:
            before = unit.changes.count
            unit.outbox.cause = work.span.traceparent if work.span else ""
            try:
                flush.outcomes.append(work.run(unit))
            except Conflict:
                # whoever comes upon it, what others changed may be another member's: all is done again
                raise
            except DomainError as error:
                if alone or unit.changes.count != before:
                    raise
                flush.outcomes.append(error)
        if not alone:
            # what comes of all of them together belongs to no one's trace
            unit.outbox.cause = ""
        unit.finish()
        crash_point("commit.before")
        return flush


def _settle(batch: Sequence[Work[U]], outcomes: Sequence[Any]) -> None:
    for work, outcome in zip(batch, outcomes, strict=True):
        if work.future.done():
            continue
        if isinstance(outcome, DomainError):
            work.future.set_exception(outcome)
        else:
            work.future.set_result(outcome)


def _fail(batch: Sequence[Work[U]], error: Exception) -> None:
    for work in batch:
        if not work.future.done():
            work.future.set_exception(error)
