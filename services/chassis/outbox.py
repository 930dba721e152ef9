"""The outbox: events committed with the change they tell of, published afterwards by the relay."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, MetaData, Table, select

from services.chassis.crash import crash_point
from services.chassis.database import Database
from services.chassis.logs import get_logger
from services.chassis.messages import Message, envelope
from services.chassis.statements import delete_by_key, insert_into, key_list
from tabling.messaging.v1.envelope_pb2 import Envelope

# An envelope is one message on the bus: bounded in events and, by them, in bytes
MAX_EVENTS = 256

log = get_logger(__name__)


class Outbox:
    """Collects one transaction's messages and writes them as few envelopes."""

    def __init__(
        self, connection: Connection, table: Table, source: str, now: datetime, changed: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._table = table
        self._source = source
        self._now = now
        self._changed = changed
        self._messages: list[Message] = []
        self._published: list[str] = []
        self.written: list[Envelope] = []

    def add(self, message: Message) -> None:
        """Publish `message` once this transaction has committed."""
        self._messages.append(message)
        self._changed()

    def remove(self, ids: Iterable[str]) -> None:
        """Forget envelopes that every consumer has."""
        self._published.extend(ids)

    def preload(self, keys: Iterable[str]) -> None:
        """Nothing to load: the outbox is only written."""

    def flush(self) -> None:
        """Write the messages so far as envelopes, and delete the published ones."""
        if self._messages:
            messages = _latest(self._messages)
            chunks = [messages[i : i + MAX_EVENTS] for i in range(0, len(messages), MAX_EVENTS)]
            envelopes = [envelope(self._source, chunk, self._now) for chunk in chunks]
            rows = [{"id": e.id, "body": e.SerializeToString(), "created_at": self._now} for e in envelopes]
            insert_into(self._table, self._connection.dialect).run(self._connection, rows)
            self.written.extend(envelopes)
            self._messages.clear()
        if self._published:
            delete = delete_by_key(self._table, self._connection.dialect)
            delete.run(self._connection, [{"keys": key_list(self._published)}])
            self._published = []


def _latest(messages: list[Message]) -> list[Message]:
    last = {message.latest_of: index for index, message in enumerate(messages) if message.latest_of}
    if not last:
        return messages
    return [m for i, m in enumerate(messages) if not m.latest_of or last[m.latest_of] == i]


class Publisher(Protocol):
    """The side of a bus that the relay needs."""

    async def publish(self, body: Envelope) -> None:
        """Return once every consumer has applied it, or holds it durably."""


class Relay:
    """Publishes committed envelopes and removes them from the outbox afterwards.

    Hot path: envelopes come straight from the commit. At start, and then every `sweep_seconds`, it picks up
    what a crash or a failed publish left behind. A crash between publishing and removing publishes twice:
    the consumers' inboxes see to that.
    """

    def __init__(
        self,
        database: Database,
        tables: MetaData,
        bus: Publisher,
        remove: Callable[[list[str]], Awaitable[None]],
        *,
        window: int = 16,
        sweep_seconds: float = 5.0,
    ) -> None:
        self._database = database
        self._table = tables.tables["outbox"]
        self._bus = bus
        self._remove = remove
        self._window = asyncio.Semaphore(window)
        self._sweep_seconds = sweep_seconds
        self._waiting: deque[Envelope] = deque()
        self._ours: set[str] = set()
        self._done: list[str] = []
        self._wake = asyncio.Event()

    def hand_over(self, envelopes: Iterable[Envelope]) -> None:
        """Take envelopes that have just been committed, in order."""
        for body in envelopes:
            if body.id not in self._ours:
                self._ours.add(body.id)
                self._waiting.append(body)
        self._wake.set()

    @property
    def backlog(self) -> int:
        """Envelopes committed here and not yet removed."""
        return len(self._ours)

    async def serve(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep(), name="outbox sweep")
            group.create_task(self._clear(), name="outbox clear")
            while True:
                while self._waiting:
                    await self._window.acquire()
                    group.create_task(self._publish(self._waiting.popleft()))
                self._wake.clear()
                await self._wake.wait()

    async def _publish(self, body: Envelope) -> None:
        try:
            crash_point("relay.before_publish")
            await self._bus.publish(body)
            crash_point("relay.after_publish")
            self._done.append(body.id)
            self._clearing.set()
        except Exception as error:
            # left in the outbox: the next sweep takes it up again
            self._ours.discard(body.id)
            log.warning("publish failed", envelope=body.id, error=type(error).__name__)
        finally:
            self._window.release()

    async def _clear(self) -> None:
        self._clearing = asyncio.Event()
        while True:
            await self._clearing.wait()
            self._clearing.clear()
            done, self._done = self._done, []
            try:
                await self._remove(done)
            except Exception as error:
                log.warning("outbox not cleared", envelopes=len(done), error=type(error).__name__)
            crash_point("relay.after_remove")
            self._ours.difference_update(done)

    async def _sweep(self) -> None:
        while True:
            try:
                self.hand_over(await self._database.read(self._left_over))
            except Exception as error:
                log.warning("outbox not swept", error=type(error).__name__)
            await asyncio.sleep(self._sweep_seconds)

    def _left_over(self, connection: Connection) -> list[Envelope]:
        rows = connection.execute(select(self._table.c.body).order_by(self._table.c.id).limit(1000))
        return [Envelope.FromString(body) for (body,) in rows]
