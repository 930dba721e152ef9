"""Dead letters: events that a consumer could not apply, wherever the bus keeps them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Table, delete, insert, select

from services.chassis.database import Database
from services.operations.catalogue import metadata
from tabling.messaging.v1.envelope_pb2 import Envelope, Event


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What `consumer` gave up, and why: the class of the error, never its text.

    It has one event, several where an envelope died whole, or none where it cannot be read.
    """

    consumer: str
    place: str
    id: str
    events: Sequence[Event]
    reason: str
    attempts: int
    died_at: datetime | None


class Letters(Protocol):
    """The dead letters of one consumer, in one place."""

    async def all(self) -> list[DeadLetter]:
        """The oldest first."""

    async def resend(self, ids: Collection[str]) -> int:
        """Let the consumer try these again; gives how many were still there. None is ever lost on the way."""

    async def drop(self, ids: Collection[str]) -> int:
        """Give these up for good; gives how many were still there."""


class TableLetters:
    """Those in the table of a service's own database.

    One that is sent again becomes a row of that service's outbox, in the transaction in which it leaves the table.
    The relay of the service publishes it, now or when it runs again. The consumer forgot its id, so it applies the
    event; to consumers that applied it long ago it tells nothing new.
    """

    def __init__(self, service: str, database: Database) -> None:
        self._service = service
        self._database = database
        self._tables = metadata(service).tables

    async def all(self) -> list[DeadLetter]:
        """The oldest first."""
        letters = self._tables["dead_letters"]
        rows = await self._database.scan(lambda c: c.execute(select(letters).order_by(letters.c.created_at)).all())
        return [self._letter(row._asdict()) for row in rows]

    async def resend(self, ids: Collection[str]) -> int:
        """Put these into the outbox."""
        return await self._database.write(lambda connection: sum(self._resend(connection, id_) for id_ in ids))

    async def drop(self, ids: Collection[str]) -> int:
        """Delete these; their ids stay in the inbox, so that they are not applied if they ever come again."""
        letters = self._tables["dead_letters"]
        return await self._database.write(
            lambda connection: sum(_take(connection, letters, id_) is not None for id_ in ids)
        )

    def _resend(self, connection: Connection, id_: str) -> bool:
        row = _take(connection, self._tables["dead_letters"], id_)
        if row is None:
            return False
        inbox = self._tables["inbox"]
        connection.execute(delete(inbox).where(inbox.c.id == id_))
        # under the event's own id: whoever put the same event aside has that id in its inbox, and keeps its own letter
        body = Envelope(id=id_, source=row["source"], events=[Event.FromString(row["event"])])
        values = {"id": id_, "body": body.SerializeToString(), "created_at": datetime.now(UTC)}
        connection.execute(insert(self._tables["outbox"]), values)
        return True

    def _letter(self, row: Mapping[str, Any]) -> DeadLetter:
        events = [Event.FromString(row["event"])]
        return DeadLetter(self._service, "table", row["id"], events, row["reason"], row["attempts"], row["created_at"])


def _take(connection: Connection, letters: Table, id_: str) -> Mapping[str, Any] | None:
    """Remove a letter, and give it; None when somebody else was faster."""
    row = connection.execute(select(letters).where(letters.c.id == id_).with_for_update()).one_or_none()
    if row is not None:
        connection.execute(delete(letters).where(letters.c.id == id_))
    return None if row is None else row._asdict()
