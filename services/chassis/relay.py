"""The relay: publishes committed envelopes and removes them from the outbox afterwards."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, MetaData, select

from services.chassis.bus import BusUnusable
from services.chassis.clock import Clock
from services.chassis.crash import crash_point
from services.chassis.database import Database
from services.chassis.kernel import DomainError
from services.chassis.logs import get_logger
from services.chassis.outbox import Failure, Outbox, is_due
from services.chassis.telemetry import Telemetry
from tabling.messaging.v1.envelope_pb2 import Envelope

log = get_logger(__name__)

PAGE = 500
MOST_WAITING = 4096
RETRY_SECONDS = 1.0


class Publisher(Protocol):
    """The side of a bus that the relay needs."""

    async def publish(self, body: Envelope) -> None:
        """Return once every consumer has applied it, or holds it durably. Raises `BusUnusable`."""


class _Sending(NamedTuple):
    body: Envelope
    attempts: int = 0


Change = Callable[[Callable[[Outbox], Any]], Awaitable[Any]]
"""Runs work on the outbox in one of the service's transactions, and gives its result after the commit."""


class Relay:
    """Publishes what this process committed, and what a crash or a failed attempt of any process left behind.

    Hot path: envelopes come straight from the commit. A sweep at start and every `sweep_seconds` claims those
    whose time has come. One that fails is put off, ever longer, and holds up no other. While the bus is out of
    reach nothing is kept in memory: the sweep tries with one envelope. A crash between publishing and removing
    publishes twice; the consumers' inboxes see to that.
    """

    def __init__(
        self,
        database: Database,
        tables: MetaData,
        bus: Publisher,
        change: Change,
        clock: Clock,
        *,
        window: int = 16,
        sweep_seconds: float = 5.0,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._database = database
        self._table = tables.tables["outbox"]
        self._bus = bus
        self._change = change
        self._clock = clock
        self._window = asyncio.Semaphore(window)
        self._sweep_seconds = sweep_seconds
        self._waiting: deque[_Sending] = deque()
        self._ours: set[str] = set()
        self._published: list[str] = []
        self._failed: dict[str, Failure] = {}
        self._wake = asyncio.Event()
        self._settling = asyncio.Event()
        self._progress = asyncio.Event()
        self._unavailable = False

    def hand_over(self, envelopes: Iterable[Envelope]) -> None:
        """Take envelopes that have just been committed, in order."""
        self._take(map(_Sending, envelopes))

    @property
    def backlog(self) -> int:
        """Envelopes in hand that are not yet removed."""
        return len(self._ours)

    async def serve(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep(), name="outbox sweep")
            group.create_task(self._settle(), name="outbox settling")
            while True:
                while self._waiting:
                    await self._window.acquire()
                    if not self._waiting:
                        self._window.release()
                        break
                    group.create_task(self._publish(self._waiting.popleft()))
                self._wake.clear()
                await self._wake.wait()

    def _take(self, found: Iterable[_Sending], *, probing: bool = False) -> None:
        for sending in found:
            # what is not taken stays in the outbox, for the sweep
            wanted = probing or not self._unavailable
            if wanted and sending.body.id not in self._ours and len(self._waiting) < MOST_WAITING:
                self._ours.add(sending.body.id)
                self._waiting.append(sending)
        self._wake.set()

    async def _publish(self, sending: _Sending) -> None:
        id_ = sending.body.id
        try:
            crash_point("relay.before_publish")
            with self._telemetry.publishing(sending.body):
                await self._bus.publish(sending.body)
            crash_point("relay.after_publish")
            self._unavailable = False
            self._published.append(id_)
            self._settling.set()
        except BusUnusable as error:
            self._ours.discard(id_)
            self._rest(error)
        except Exception as error:
            log.warning("publish failed", envelope=id_, attempts=sending.attempts + 1, error=type(error).__name__)
            self._unavailable = False
            self._failed[id_] = Failure(sending.attempts + 1, type(error).__name__)
            self._settling.set()
        finally:
            self._window.release()

    def _rest(self, error: Exception) -> None:
        if not self._unavailable:
            log.warning("bus out of reach", waiting=len(self._waiting), error=str(error))
        self._unavailable = True
        self._ours.difference_update(sending.body.id for sending in self._waiting)
        self._waiting.clear()
        self._progress.set()

    async def _settle(self) -> None:
        while True:
            await self._settling.wait()
            self._settling.clear()
            published, self._published = self._published, []
            failed, self._failed = self._failed, {}
            await self._write_down(published, failed)
            crash_point("relay.after_remove")
            self._ours.difference_update(published)
            self._ours.difference_update(failed)
            self._progress.set()

    async def _write_down(self, published: list[str], failed: dict[str, Failure]) -> None:
        def work(outbox: Outbox) -> None:
            outbox.remove(published)
            outbox.fail(failed)

        try:
            await self._change(work)
        except Exception as error:
            # they are taken up again, and the consumers know them
            log.warning("outbox not settled", envelopes=len(published), error=type(error).__name__)

    async def _sweep(self) -> None:
        # what an earlier process left is nobody else's, unless there are others
        early = not self._database.shared
        while True:
            try:
                limit = 1 if self._unavailable else PAGE
                found = await self._claim(limit, early=early)
                early = False
                # while the bus is out of reach, the one that was found shows whether it is back
                self._take(found, probing=True)
                if len(found) == limit:
                    await self._worked_off(found)
                    continue
            except DomainError as error:
                log.warning("outbox not swept", error=error.reason)
            await asyncio.sleep(min(self._sweep_seconds, RETRY_SECONDS) if self._unavailable else self._sweep_seconds)

    async def _claim(self, limit: int, *, early: bool) -> list[_Sending]:
        if not await self._database.look(lambda connection: self._is_any_due(connection, early=early)):
            return []
        found = await self._change(lambda outbox: outbox.claim(limit, early=early))
        crash_point("relay.claimed")
        return [_Sending(*each) for each in found]

    async def _worked_off(self, found: list[_Sending]) -> None:
        last = found[-1].body.id
        while last in self._ours:
            self._progress.clear()
            await self._progress.wait()
        if self._unavailable:
            await asyncio.sleep(RETRY_SECONDS)

    def _is_any_due(self, connection: Connection, *, early: bool) -> bool:
        statement = select(self._table.c.id).limit(1)
        if not early:
            statement = statement.where(is_due(self._table, self._clock.now()))
        return connection.execute(statement).first() is not None
