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
from services.chassis.kernel import DeadlineExceeded, DomainError, StorageBusy, StorageFull, TooBusy
from services.chassis.pace import Pace
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
    members are run again one by one.
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
    ) -> None:
        self._database = database
        self._open_unit = open_unit
        self._committed = committed
        self._limit = limit
        self._capacity = capacity
        self._pace = Pace(longest_pace_seconds)
        self._waiting: deque[Work[U]] = deque()
        self._wake = asyncio.Event()
        self._called = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(
        self,
        run: Callable[[U], T],
        needs: Needs | None = None,
        *,
        weight: int = 1,
        deadline: float | None = None,
        bounded: bool = True,
        patience: float = 0.0,
    ) -> T:
        """Run `run` in a transaction shared with others, and return its result after the commit.

        `needs` names what it will load by key. `weight` is its share of a batch. `deadline` (monotonic
        seconds): past it, work that has not begun is dropped with `DeadlineExceeded`. `bounded` is what a
        caller waits for: it raises `TooBusy` when more than the capacity waits. `patience`: seconds that it may
        wait for other work, whose transaction it then shares.
        """
        if bounded and len(self._waiting) >= self._capacity:
            raise TooBusy(f"{len(self._waiting)} pieces of work are waiting")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Work(run, needs or {}, weight, bounded, deadline, future))
        self._idle.clear()
        if bounded:
            self._called.set()
        if patience:
            asyncio.get_running_loop().call_later(patience, self._wake.set)
        else:
            self._wake.set()
        return await future

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
        """Let work gather; work that nobody waits for gathers longer, until somebody calls."""
        if not self._called.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.pause_seconds(called=False)):
                    await self._called.wait()
        if self._called.is_set() and len(self._waiting) < self._limit:
            await asyncio.sleep(self._pace.pause_seconds(called=True))
        self._called.clear()

    def _take(self) -> list[Work[U]]:
        batch: list[Work[U]] = []
        weight = 0
        while self._waiting and (not batch or weight + self._waiting[0].weight <= self._limit):
            work = self._waiting.popleft()
            if not work.is_void():
                batch.append(work)
                weight += work.weight
            elif not work.future.done():
                work.future.set_exception(DeadlineExceeded("the deadline passed before the work began"))
        return batch

    async def _flush(self, batch: Sequence[Work[U]]) -> None:
        try:
            flush = await self._database.write(lambda connection: self._transaction(connection, batch))
        except (StorageBusy, StorageFull) as error:
            _fail(batch, error)
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            for work in batch:
                await self._flush([work])
        else:
            crash_point("commit.after")
            self._committed(flush.unit)
            _settle(batch, flush.outcomes)

    def _transaction(self, connection: Connection, batch: Sequence[Work[U]]) -> Flush[U]:
        self._pace.start(sum(work.called for work in batch), sum(work.weight for work in batch))
        unit = self._open_unit(connection)
        unit.preload(work.needs for work in batch)
        flush = Flush(unit)
        alone = len(batch) == 1
        for work in batch:
            before = unit.changes.count
            try:
                flush.outcomes.append(work.run(unit))
            except DomainError as error:
                if alone or unit.changes.count != before:
                    raise
                flush.outcomes.append(error)
        unit.flush()
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
