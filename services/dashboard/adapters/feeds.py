"""The feeds of the services that the read model is made from."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

import grpc

from services.chassis.callers import Identity
from tabling.messaging.v1.envelope_pb2 import Envelope
from tabling.messaging.v1.event_feed_service_pb2 import ReadSnapshotsRequest
from tabling.messaging.v1.event_feed_service_pb2_grpc import EventFeedServiceStub

SOURCES = ("management", "seat", "reception")
STREAM_SECONDS = 3600.0


class FeedUnavailable(Exception):
    """A service that snapshots are needed from cannot be reached."""


class Feeds:
    """Reads the snapshots of all sources, one source after the other."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], types: Collection[str], identity: Identity) -> None:
        self._channels = channels
        self._types = sorted(types)
        self._identity = identity

    async def read(self) -> AsyncIterator[Envelope]:
        """The present snapshots. Raises `FeedUnavailable`."""
        request = ReadSnapshotsRequest(types=self._types)
        for source, channel in self._channels.items():
            try:
                stub = EventFeedServiceStub(channel)
                async for body in stub.ReadSnapshots(request, timeout=STREAM_SECONDS, metadata=self._identity):
                    yield body
            except grpc.aio.AioRpcError as error:
                raise FeedUnavailable(f"the feed of {source} answers {error.code().name}") from error


@asynccontextmanager
async def open_feeds(targets: Mapping[str, str], types: Collection[str], identity: Identity) -> AsyncIterator[Feeds]:
    """Feeds of all sources at `targets` (service → host:port)."""
    channels = {source: grpc.aio.insecure_channel(targets[source]) for source in SOURCES}
    try:
        yield Feeds(channels, types, identity)
    finally:
        for channel in channels.values():
            await channel.close()
