"""The outbox: events committed with the change they tell of, published afterwards by the relay."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, or_, select, update

from services.chassis.messages import Message, envelope
from services.chassis.writes import Writes
from tabling.messaging.v1.envelope_pb2 import Envelope

# An envelope is one message on the bus, and one row here
MAX_EVENTS = 256
MAX_BYTES = 512 * 1024

HOT = timedelta(seconds=5)
"""The time that the process which committed an envelope has for it, before a sweep takes it up."""

CLAIM = timedelta(seconds=15)
"""The time that a sweep has for what it took up, before another one may."""

LONGEST_WAIT = timedelta(minutes=5)


class Failure(NamedTuple):
    """An envelope that could not be published, and why: the class of the error."""

    attempts: int
    reason: str


class Outbox:
    """One transaction's envelopes: those it writes, and those it has heard of otherwise."""

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
        self.cause = ""
        """W3C traceparent of what is being done at present; goes with the messages that are added."""

    def add(self, message: Message) -> None:
        """Publish `message` once this transaction has committed."""
        self._messages.append(replace(message, traceparent=self.cause) if self.cause else message)
        self._changed()

    def remove(self, ids: Iterable[str]) -> None:
        """Forget envelopes that every consumer has."""
        self._published.extend(ids)

    def claim(self, limit: int, *, early: bool = False) -> list[tuple[Envelope, int]]:
        """Take up to `limit` envelopes whose time has come, or all alike when `early`, each with its failed attempts.

        Nobody else gets them for a while.
        """
        columns = self._table.c
        statement = select(columns.id, columns.body, columns.attempts).order_by(columns.id).limit(limit)
        if not early:
            statement = statement.where(is_due(self._table, self._now))
        rows = self._connection.execute(statement.with_for_update(skip_locked=True)).all()
        self._put_off({row.id: {"next_attempt_at": self._now + CLAIM} for row in rows})
        return [(Envelope.FromString(row.body), row.attempts) for row in rows]

    def fail(self, failures: Mapping[str, Failure]) -> None:
        """Write down what went wrong; each is put off for longer than the time before."""
        self._put_off(
            {
                id_: {
                    "next_attempt_at": self._now + min(HOT * 2 ** min(failure.attempts - 1, 10), LONGEST_WAIT),
                    "attempts": failure.attempts,
                    "failure": failure.reason,
                }
                for id_, failure in failures.items()
            }
        )

    def preload(self, keys: Iterable[str]) -> None:
        """Nothing to load: the outbox is only written."""

    def flush(self, writes: Writes) -> None:
        """Hand over the messages so far, as envelopes, and the published ones."""
        if self._messages:
            messages = _latest(self._messages)
            envelopes = [envelope(self._source, chunk, self._now) for chunk in _chunks(messages)]
            writes.insert(self._table, [self._row(body) for body in envelopes])
            self.written.extend(envelopes)
            self._messages.clear()
        writes.delete(self._table, self._published)
        self._published = []

    def _row(self, body: Envelope) -> dict[str, Any]:
        row = {"id": body.id, "body": body.SerializeToString(), "created_at": self._now}
        return row | {"attempts": 0, "next_attempt_at": self._now + HOT, "failure": None}

    def _put_off(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        if changes:
            names = next(iter(changes.values())).keys()
            statement = update(self._table).where(self._table.c.id == bindparam("b_id"))
            rows = [{"b_id": id_, **change} for id_, change in changes.items()]
            self._connection.execute(statement.values({name: bindparam(name) for name in names}), rows)


def is_due(table: Table, now: datetime) -> Any:
    """Whether an envelope may be taken up by a sweep."""
    return or_(table.c.next_attempt_at.is_(None), table.c.next_attempt_at <= now)


def _chunks(messages: list[Message]) -> Iterator[list[Message]]:
    """The messages in order, in pieces that are bounded in number and, but for a single one, in bytes."""
    chunk: list[Message] = []
    size = 0
    for message in messages:
        if len(chunk) == MAX_EVENTS or (chunk and size + len(message.data) > MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(message)
        size += len(message.data)
    yield chunk


def _latest(messages: list[Message]) -> list[Message]:
    last = {message.latest_of: index for index, message in enumerate(messages) if message.latest_of}
    if not last:
        return messages
    return [m for i, m in enumerate(messages) if not m.latest_of or last[m.latest_of] == i]
