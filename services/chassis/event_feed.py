"""The event feed: present snapshots as events, for rebuilding read models."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
from sqlalchemy import Connection

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.messages import Message, envelope
from tabling.messaging.v1.envelope_pb2 import Envelope
from tabling.messaging.v1.event_feed_service_pb2 import ReadSnapshotsRequest
from tabling.messaging.v1.event_feed_service_pb2_grpc import (
    EventFeedServiceServicer,
    add_EventFeedServiceServicer_to_server,
)

Snapshots = Callable[[Connection, str | None], tuple[list[Message], str | None]]
"""`snapshots(connection, after)`: the next few hundred snapshots and where to go on, None at the end."""


class EventFeedServicer(EventFeedServiceServicer):
    """Streams a service's snapshots in pages, each page one envelope."""

    def __init__(self, database: Database, source: str, clock: Clock, snapshots: Snapshots) -> None:
        self._database = database
        self._source = source
        self._clock = clock
        self._snapshots = snapshots

    async def ReadSnapshots(self, request: ReadSnapshotsRequest, context: Any) -> AsyncIterator[Envelope]:  # noqa: N802
        position: str | None = None
        while True:
            messages, position = await self._page(position)
            if wanted := list(self._wanted(messages, request)):
                yield envelope(self._source, wanted, self._clock.now())
            if position is None:
                return

    async def _page(self, after: str | None) -> tuple[list[Message], str | None]:
        return await self._database.read(lambda connection: self._snapshots(connection, after))

    def _wanted(self, messages: list[Message], request: ReadSnapshotsRequest) -> Iterator[Message]:
        return (m for m in messages if not request.types or m.type in request.types)


def add_event_feed(
    server: grpc.aio.Server, database: Database, source: str, clock: Clock, snapshots: Snapshots
) -> None:
    """Serve the feed on a service's port; the gateway does not route it."""
    add_EventFeedServiceServicer_to_server(EventFeedServicer(database, source, clock, snapshots), server)
