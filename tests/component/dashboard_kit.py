"""What tests of the dashboard share: the other services' messages, and the other services as feeds."""

import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from scripts.bench.roomy import ROOMY
from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import ManualClock
from services.chassis.messages import Message, envelope
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import running
from services.dashboard.adapters.tables import READ_MODEL
from services.dashboard.adapters.unit_of_work import DashboardUnit
from services.dashboard.app import build
from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceStub
from tabling.management.v1 import events_pb2 as management
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import LatLng, OpeningHours, Store
from tabling.messaging.v1.envelope_pb2 import Envelope
from tabling.messaging.v1.event_feed_service_pb2 import ReadSnapshotsRequest
from tabling.messaging.v1.event_feed_service_pb2_grpc import (
    EventFeedServiceServicer,
    add_EventFeedServiceServicer_to_server,
)
from tabling.reception.v1 import events_pb2 as reception
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1 import events_pb2 as seat
from tabling.seat.v1.table_pb2 import Availability, Table
from tests.component.place import place
from tests.entitled import KEYS, entitled

if TYPE_CHECKING:
    from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceAsyncStub

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""Monday noon in Seoul."""

DAY = "2026-03-02"


def at(minutes: float, day: datetime = NOON) -> Timestamp:
    """So many minutes after noon."""
    result = Timestamp()
    result.FromDatetime(day + timedelta(minutes=minutes))
    return result


def store_changed(
    store: str = "s1",
    version: int = 1,
    *,
    display_name: str = "Gimbap Heaven",
    state: Store.State.ValueType = Store.OPEN,
    location: tuple[float, float] | None = None,
    opening: Sequence[tuple[int, str, str]] = (),
    minutes: float = 0,
    **more: Any,
) -> Message:
    """Management: a store was created or changed."""
    changed = Store(
        name=f"stores/{store}",
        version=version,
        display_name=display_name,
        state=state,
        location=None if location is None else LatLng(latitude=location[0], longitude=location[1]),
        opening_hours=[OpeningHours(weekday=day, open=begin, close=end) for day, begin, end in opening],
        update_time=at(minutes),
        **more,
    )
    return _message("management.store.changed.v1", changed.name, management.StoreChanged(store=changed))


def availability_changed(store: str = "s1", version: int = 1, *, seats: int, largest: int) -> Message:
    """Seat: free seats changed."""
    now = Availability(
        name=f"stores/{store}/availability", version=version, seats_remaining=seats, largest_free_capacity=largest
    )
    return _message("seat.availability.changed.v1", now.name, seat.AvailabilityChanged(availability=now))


def table_changed(
    store: str = "s1", table: str = "t1", version: int = 1, *, state: Table.State.ValueType = Table.FREE, **more: Any
) -> Message:
    """Seat: a table changed."""
    changed = Table(name=f"stores/{store}/tables/{table}", version=version, state=state, **more)
    return _message("seat.table.changed.v1", changed.name, seat.TableChanged(table=changed))


def received(
    reception_id: str,
    state: Reception.State.ValueType = Reception.WAITING,
    version: int = 1,
    *,
    store: str = "s1",
    line: tuple[int, int] | None = None,
    pace_seconds: int = 300,
    joined: float = 0,
    called: float | None = None,
    seated: float | None = None,
    closed: float | None = None,
    fact: str = "added",
    **more: Any,
) -> Message:
    """Reception: a reception changed; times in minutes after noon, `line` is its version and parties waiting."""
    values: dict[str, Any] = {"party_size": 2, "channel": Reception.ONLINE, "business_day": DAY} | more
    snapshot = reception.ReceptionSnapshot(
        name=f"stores/{store}/receptions/{reception_id}",
        version=version,
        state=state,
        create_time=at(joined),
        call_time=None if called is None else at(called),
        seat_time=None if seated is None else at(seated),
        close_time=None if closed is None else at(closed),
        **values,
    )
    summary = None
    if line is not None:
        summary = reception.LineSummary(
            store=f"stores/{store}", version=line[0], parties_waiting=line[1], pace_seconds=pace_seconds
        )
    # all of reception's events have the same two fields
    event = reception.ReceptionAdded(reception=snapshot, line=summary)
    return _message(f"reception.reception.{fact}.v1", snapshot.name, event)


def ordered(
    order_id: str, state: Order.State.ValueType, version: int = 1, *, store: str = "s1", fact: str = "accepted"
) -> Message:
    """Management: an order changed."""
    order = Order(name=f"stores/{store}/orders/{order_id}", version=version, state=state)
    return _message(f"management.order.{fact}.v1", order.name, management.OrderAccepted(order=order))


def _message(kind: str, subject: str, event: Any) -> Message:
    return Message(kind, subject, subject.split("/")[-1], event.SerializeToString())


@dataclass
class World:
    """A dashboard that runs, with the test as the other services."""

    service: Service[DashboardUnit]
    bus: MemoryBus
    clock: ManualClock
    stub: "DashboardServiceAsyncStub"

    async def tell(self, *messages: Message) -> None:
        """Publish as one envelope; returns once applied."""
        await self.bus.publish(envelope("test", list(messages), self.clock.now()))

    async def rows_of(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of one table of the read model."""
        return (await self.rows())[table]

    async def nothing_waits(self) -> bool:
        """Whether the dashboard's outbox is empty."""
        outbox = self.service.frame.tables.tables["outbox"]
        return await self.service.frame.database.read(lambda c: c.execute(outbox.select()).first() is None)

    async def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the read model."""
        return await self.service.frame.database.read(
            lambda connection: {
                table.name: [tuple(row) for row in connection.execute(table.select().order_by(table.c.id))]
                for table in READ_MODEL
            }
        )


@asynccontextmanager
async def dashboard(
    folder: Path, upstreams: dict[str, str] | None = None, *, heartbeat_seconds: float = 15.0
) -> AsyncIterator[World]:
    """A dashboard on a free port with a database of its own."""
    settings = Settings(
        service="dashboard",
        listen="127.0.0.1:0",
        database=place(folder, "dashboard"),
        upstreams=upstreams or {},
        keys=KEYS,
        limits=ROOMY,
        heartbeat_seconds=heartbeat_seconds,
        longest_pace_seconds=0,
    )
    bus, clock = MemoryBus(), ManualClock(NOON)
    service = build(settings, bus, clock)
    async with running(service) as address, grpc.aio.insecure_channel(address) as channel:
        yield World(service, bus, clock, DashboardServiceStub(entitled(channel)))


class Feed(EventFeedServiceServicer):
    """A source's feed: the newest of the messages given to it, a few to an envelope."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.newest: list[Message] = []
        self.breaks = False

    async def ReadSnapshots(self, request: ReadSnapshotsRequest, context: Any) -> AsyncIterator[Envelope]:
        wanted = [message for message in self.newest if message.type in request.types]
        for start in range(0, len(wanted), 3):
            yield envelope(self.source, wanted[start : start + 3], NOON)
        if self.breaks:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")


@dataclass
class Sources:
    """The three sources' feeds and where they are."""

    feeds: dict[str, Feed]
    targets: dict[str, str]

    def hold(self, newest: Iterable[Message]) -> None:
        """Present state from now on; each message goes to the feed of its source."""
        for feed in self.feeds.values():
            feed.newest = []
        for message in newest:
            self.feeds[message.type.split(".")[0]].newest.append(message)


@asynccontextmanager
async def sources() -> AsyncIterator[Sources]:
    """Management, seat and reception, as far as a rebuild needs them: a real server with a feed each."""
    feeds, servers, targets = {}, [], {}
    for source in ("management", "seat", "reception"):
        feeds[source] = Feed(source)
        server = grpc.aio.server()
        add_EventFeedServiceServicer_to_server(feeds[source], server)
        targets[source] = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        servers.append(server)
    try:
        yield Sources(feeds, targets)
    finally:
        for server in servers:
            await server.stop(None)


def a_busy_evening(seed: int = 1, parties: int = 60) -> tuple[list[Message], list[Message]]:
    """Everything that happened at three stores, in order, and the newest snapshot of each thing."""
    chance = random.Random(seed)
    told: list[Message] = []
    tell = told.append
    stores = ["s1", "s2", "s3"]
    lines = dict.fromkeys(stores, 0)
    for version in (1, 2, 3):
        for store in stores:
            tell(store_changed(store, version, display_name=f"{store} v{version}", minutes=version))
            tell(availability_changed(store, version, seats=version * 2, largest=version))
            tell(table_changed(store, "t1", version, capacity=4, state=Table.State.ValueType(version)))
    for number in range(parties):
        store, id_ = chance.choice(stores), f"r{number:03}"
        path = chance.choice([_SEATED, _NO_SHOW, _CANCELED, _WAITING])
        for version, (state, times) in enumerate(path, 1):
            lines[store] += 1
            line = (lines[store], chance.randint(0, 9))
            tell(received(id_, state, version, store=store, line=line, joined=number, order_key=number, **times))
            tell(ordered(id_, Order.State.ValueType(min(version + 1, 4)), version, store=store))
    return told, snapshots(told)


def snapshots(told: Sequence[Message]) -> list[Message]:
    """What feeds say after all this was told: the newest of each subject."""
    newest = {message.subject: message for message in told}
    # the last line of a store is in the newest snapshot of its reception only: a feed tells the present line
    # with every reception
    return _with_present_lines([*newest.values()], list(told))


_WAITING: list[tuple[Reception.State.ValueType, dict[str, Any]]] = [(Reception.WAITING, {})]
_CALLED = [*_WAITING, (Reception.CALLED, {"called": 70.0})]
_SEATED = [*_CALLED, (Reception.SEATED, {"called": 70.0, "seated": 75.0})]
_NO_SHOW = [*_CALLED, (Reception.NO_SHOW, {"called": 70.0, "closed": 80.0})]
_CANCELED = [*_WAITING, (Reception.CANCELED, {"closed": 65.0})]


def _with_present_lines(newest: list[Message], told: list[Message]) -> list[Message]:
    present: dict[str, reception.LineSummary] = {}
    for message in told:
        if message.type.startswith("reception."):
            line = reception.ReceptionAdded.FromString(message.data).line
            present[line.store] = line
    return [_with_line(message, present) for message in newest]


def _with_line(message: Message, present: dict[str, reception.LineSummary]) -> Message:
    if not message.type.startswith("reception."):
        return message
    event = reception.ReceptionAdded.FromString(message.data)
    event.line.CopyFrom(present[event.line.store])
    return _message(message.type, message.subject, event)
