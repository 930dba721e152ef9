"""The rebuild of the read model, beside the service or without it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from services.chassis.callers import as_service
from services.chassis.database import Database
from services.dashboard.adapters.feeds import Feeds, open_feeds
from services.dashboard.adapters.shown import SqlShown
from services.dashboard.application import rebuild as application
from services.dashboard.application.model import Versioned
from services.dashboard.application.rebuild import Key, Page, Rebuilt
from services.dashboard.entrypoints.consumer import handlers
from tabling.messaging.v1.envelope_pb2 import Envelope


async def rebuild(
    database: Database,
    targets: Mapping[str, str],
    keys: Sequence[str],
    progress: Callable[[Rebuilt], None] = lambda _: None,
) -> Rebuilt:
    """Put the read model in `database` right by what the services at `targets` (service → host:port) say.

    `keys` are this installation's. It may be killed at any moment and run again; the service may run meanwhile.

    Raises `FeedUnavailable`, `NeverRight` and what the database raises.
    """
    async with open_feeds(targets, handlers().keys(), as_service(keys, "dashboard")) as feeds:
        return await application.rebuild(_Snapshots(feeds), SqlShown(database), progress)


class _Snapshots:
    """The feeds' envelopes as rows."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds
        self._handlers = handlers()

    async def read(self) -> AsyncIterator[Mapping[Key, Versioned]]:
        async for body in self._feeds.read():
            yield self._rows(body)

    def _rows(self, body: Envelope) -> Mapping[Key, Versioned]:
        page = Page()
        for event in body.events:
            handler = self._handlers[event.type]
            handler.apply(handler.message.FromString(event.data), page)
        return page.rows
