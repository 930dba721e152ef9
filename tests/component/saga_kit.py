"""All five services in one process, with a test in charge of time, of timers and of every single delivery."""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from sqlalchemy import select

from services.chassis.bus import Bus, Subscription
from services.chassis.clock import ManualClock
from services.chassis.kernel import DomainError, Stale
from services.chassis.migrate import migrate
from services.chassis.process import Build
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.timers import DueTimer
from services.dashboard.app import build as build_dashboard
from services.management.app import build as build_management
from services.management.application.create_store import CreateStore, create_store
from services.management.application.open_store import OpenStore, open_store
from services.management.domain.profile import Profile
from services.notification.adapters.ledger import SqlLedger
from services.notification.app import build as build_notification
from services.notification.application.courier import Courier
from services.notification.application.notifier import (
    Capabilities,
    Channel,
    Delivery,
    Notification,
    Status,
    Submission,
)
from services.notification.domain.outcome import Outcome
from services.reception.adapters.queries import contacts
from services.reception.app import build as build_reception
from services.seat.adapters.queries import check_seats
from services.seat.app import build as build_seat
from services.seat.application.add_tables import AddTables, NewTable, add_tables
from tabling.messaging.v1.envelope_pb2 import Envelope

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""Twelve o'clock in Seoul."""

BUILDS: Mapping[str, Build] = {
    "management": build_management,
    "seat": build_seat,
    "reception": build_reception,
    "dashboard": build_dashboard,
    "notification": build_notification,
}

MOST_DELIVERIES = 3000
"""More than any scenario needs: services that still talk after so many will talk for ever."""

T = TypeVar("T")

Stores: TypeAlias = Mapping[str, tuple[Profile, Sequence[NewTable]]]
"""Stores and their tables, by the store's id."""


class Parcel(NamedTuple):
    """One envelope on its way to one consumer."""

    consumer: str
    body: Envelope


class ShuffledBus:
    """A bus that holds every envelope durably and delivers when, and as often as, it is told to."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self.published: list[Envelope] = []
        self.pending: list[Parcel] = []
        self.lost: list[Parcel] = []

    async def publish(self, body: Envelope) -> None:
        self.published.append(body)
        self.pending += self.parcels(body)

    async def subscribe(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.consumer] = subscription

    async def unsubscribe(self, consumer: str) -> None:
        self._subscriptions.pop(consumer, None)

    def parcels(self, body: Envelope) -> list[Parcel]:
        """A parcel for every consumer that wants something of an envelope."""
        types = {event.type for event in body.events}
        return [Parcel(s.consumer, body) for s in self._subscriptions.values() if not types.isdisjoint(s.types)]

    def take(self, picks: Iterable[int]) -> list[Parcel]:
        """Parcels by their place among those that are pending, counted round and round."""
        return [self.pending.pop(pick % len(self.pending)) for pick in picks if self.pending]

    def find(self) -> None:
        """Whatever was lost is there again."""
        self.pending += self.lost
        self.lost.clear()

    def deliveries(self, parcels: Iterable[Parcel]) -> list[Awaitable[None]]:
        """The deliveries of parcels, begun once awaited; each ends with the commit."""
        return [self._subscriptions[parcel.consumer].receive(parcel.body) for parcel in parcels]

    def parts(self, parcel: Parcel) -> list[Parcel]:
        """A parcel split into one for each event, as a consumer does with one that it cannot apply whole."""
        wanted = self._subscriptions[parcel.consumer].types
        events = [event for event in parcel.body.events if event.type in wanted]
        return [Parcel(parcel.consumer, single(parcel.body.source, event)) for event in events]


def single(source: str, event: Any) -> Envelope:
    """An envelope for one event, under the event's id."""
    return Envelope(id=event.id, source=source, events=[event])


class Vendor:
    """Delivers notices: each id once, whatever it then answers."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.answers = Outcome.DELIVERED

    async def send(self, batch: Sequence[Notification]) -> list[Submission]:
        return [self._take(notification.id) for notification in batch]

    async def result(self, notification_id: str) -> Delivery:
        known = Outcome.DELIVERED if notification_id in self.delivered else None
        return Delivery(notification_id, Channel.KAKAO, known, "")

    def capabilities(self) -> Capabilities:
        return Capabilities(
            vendor="test",
            batch_max=100,
            named_variables=True,
            native_fallback=False,
            accepted_is_delivered=True,
            idempotency_window=timedelta(days=3),
        )

    def _take(self, id_: str) -> Submission:
        if id_ in self.delivered:
            return Submission(id_, Status.DUPLICATE, Outcome.DUPLICATE, "")
        if self.answers is not Outcome.TRANSIENT:
            self.delivered.append(id_)
        status = Status.ACCEPTED if self.answers is Outcome.DELIVERED else Status.UNCERTAIN
        return Submission(id_, status, self.answers, "")


class Contacts(Protocol):
    """Knows where parties can be reached."""

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Phone numbers by reception id."""


class Everybody:
    """Everybody has a phone number."""

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        return dict.fromkeys((id_ for _, id_ in receptions), "+821033333333")


class ReceptionContacts:
    """Reception's phone numbers, straight from its database."""

    def __init__(self, reception: Service[Any]) -> None:
        self._reception = reception

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        found = await self._reception.frame.database.read(lambda connection: contacts(connection, receptions))
        return {name.rpartition("/")[2]: phone for name, phone, _ in found}


@dataclass
class World:
    """Five services that hear of each other only when the test lets them."""

    folder: Path
    clock: ManualClock
    bus: ShuffledBus
    services: Mapping[str, Service[Any]]
    contacts: Contacts
    vendor: Vendor = field(default_factory=Vendor)
    told: list[Envelope] = field(default_factory=list)

    async def do(self, service: str, work: Callable[[Any], T]) -> T | None:
        """Run a use case in the service's own transaction; a broken rule means that nothing happened."""
        try:
            return await self.services[service].frame.lane.run(work)
        except Stale:
            raise
        except DomainError:
            return None

    def hear(self, uow: Any) -> None:
        """A service has committed."""
        self.told += uow.outbox.written

    async def at_once(self, actions: Iterable[Awaitable[object]]) -> None:
        """Begin all actions together, so that they share transactions, and publish what comes of them."""
        await asyncio.gather(*actions)
        await self.publish()

    async def publish(self) -> None:
        """Give to the bus what has been committed."""
        # by service: which thread was first is not for chance to say, but for the scenario
        told, self.told = sorted(self.told, key=lambda body: body.source), []
        for body in told:
            await self.bus.publish(body)

    async def deliver(self, parcels: Sequence[Parcel]) -> None:
        """Deliver together, and publish what comes of it."""
        await self.at_once(self.bus.deliveries(parcels))

    async def hand_over(self, parcels: Sequence[Parcel]) -> None:
        """Deliver together, and let nobody hear what comes of it."""
        await asyncio.gather(*self.bus.deliveries(parcels))
        self.told.clear()

    async def due(self) -> list[tuple[str, DueTimer]]:
        """The timers of all services whose time has come."""
        return [(name, timer) for name, service in self.services.items() for timer in await self._due(service)]

    async def fire(self, name: str, timer: DueTimer) -> None:
        """Let one timer fire."""
        await self.services[name]._fire(timer)

    async def free_table(self, store: str, party_size: int, section: str) -> bool:
        """What seat answers to the one question that it is asked."""
        seat = self.services["seat"].frame.database
        return (await seat.read(lambda connection: check_seats(connection, [(store, party_size, section)])))[0]

    async def send_notices(self) -> int:
        """One round of the sender; gives how many notices were due."""
        service = self.services["notification"]
        ledger, now = SqlLedger(service.frame), self.clock.now()
        # new ones are handed over by the commit that decides them, and due soon after in case of a crash
        notices = await ledger.due(now + timedelta(minutes=1), 1000, ())
        if notices:
            courier = Courier(self.vendor, self.contacts)
            phones, newest = await courier.look_up(notices), await ledger.newest(notices)
            findings = await courier.deliver(notices, phones, newest, now, NOON)
            with suppress(Stale):  # another round was faster: what is not settled is due again
                await ledger.settle([(notice, findings[notice.id]) for notice in notices])
        await self.publish()
        return len(notices)

    async def rest(self, choice: Random) -> None:
        """Deliver everything, in any order and in any company, and let all that is due happen."""
        self.bus.find()
        for _ in range(MOST_DELIVERIES):
            if self.bus.pending:
                picks = [choice.randrange(1000) for _ in range(choice.choice((1, 1, 1, 2, 5)))]
                await self.deliver(self.bus.take(picks))
            elif due := await self.due():
                await self.at_once([self.fire(*choice.choice(due))])
            else:
                break
        else:
            raise AssertionError(f"still not at rest after {MOST_DELIVERIES} deliveries")
        self.vendor.answers = Outcome.DELIVERED
        await self.send_notices()
        for service in self.services.values():
            await self._clear_outbox(service)

    async def _due(self, service: Service[Any]) -> list[DueTimer]:
        def look(uow: Any) -> list[DueTimer]:
            columns = uow.table("timers").c
            statement = select(columns.kind, columns.key, columns.due_at).where(columns.due_at <= uow.now)
            return [DueTimer(*row) for row in uow.connection.execute(statement.order_by(columns.id))]

        return await service.frame.lane.run(look)

    async def _clear_outbox(self, service: Service[Any]) -> None:
        """Remove what was published, and nothing else."""
        published = [body.id for body in self.bus.published if body.source == service.name]
        await service.frame.lane.run(lambda uow: uow.outbox.remove(published))


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Services on the databases in a folder."""
    bus, clock = ShuffledBus(), ManualClock(NOON)
    services = {name: _build(name, folder, bus, clock) for name in BUILDS}
    found = World(folder, clock, bus, services, ReceptionContacts(services["reception"]))
    lanes = []
    for name, service in services.items():
        service.frame.on_commit.append(found.hear)
        lanes.append(asyncio.create_task(service.frame.lane.serve()))
        if service.consumer.types:
            await bus.subscribe(Subscription(name, service.consumer.types, service.consumer.receive))
    try:
        yield found
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        for service in services.values():
            await service.frame.database.close()


def _build(name: str, folder: Path, bus: Bus, clock: ManualClock) -> Service[Any]:
    settings = Settings(
        service=name,
        listen="127.0.0.1:0",
        database=folder / f"{name}.db",
        upstreams={"reception": "127.0.0.1:1", "seat": "127.0.0.1:1"},
        reflection=False,
        longest_pace_seconds=0.0,
    )
    return BUILDS[name](settings, bus, clock)


@contextmanager
def databases() -> Iterator[Callable[[], Path]]:
    """Makes folders with the services' empty databases, in memory where the system has a place for that."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        root = Path(name)
        for service in BUILDS:
            migrate(service, root / "empty" / f"{service}.db")
        number = 0

        def fresh() -> Path:
            nonlocal number
            number += 1
            shutil.rmtree(root / str(number - 1), ignore_errors=True)
            return Path(shutil.copytree(root / "empty", root / str(number)))

        yield fresh


async def furnish(found: World, stores: Stores) -> None:
    """Open stores with their tables; everybody knows of them."""
    for store, (profile, tables) in stores.items():
        opening = [_create(store, profile), _open(store)]
        await found.at_once([found.do("management", work) for work in opening])
        await _hear(found)
        await found.at_once([found.do("seat", _add(store, tables))])
    await _hear(found)


async def _hear(found: World) -> None:
    while found.bus.pending:
        await found.deliver(found.bus.take([0] * len(found.bus.pending)))


def _create(store: str, profile: Profile) -> Callable[[Any], object]:
    return lambda uow: create_store(CreateStore(store, profile), uow)


def _open(store: str) -> Callable[[Any], object]:
    return lambda uow: open_store(OpenStore(store), uow)


def _add(store: str, tables: Sequence[NewTable]) -> Callable[[Any], object]:
    return lambda uow: add_tables(AddTables(store, tuple(tables)), uow)


PICTURE: Mapping[tuple[str, str], str] = {
    **{("dashboard", table): "*" for table in ("stores", "availabilities", "lines", "receptions", "orders", "tables")},
    ("notification", "notices"): "id, state, failure",
    ("notification", "receptions"): "id, seen, round, state, told",
    ("notification", "stores"): "id, seen, display_name, time_zone",
    (
        "management",
        "orders",
    ): "id, store_id, state, party_size, waiting_number, table_name, round, called_at, seated_at, "
    "closed_at, hold_expires_at, reception_version, reception_state, order_key",
    ("management", "tables"): "id, store_id, capacity, state, blocked, reception_id, seat_version",
    # who of those in line got a table is the one thing that the order of arrival decides
    ("seat", "seatings"): "id, store_id, reception_version, round, order_key, party_size, section, "
    "CASE WHEN state IN ('WAITING', 'HELD') THEN 'UNSEATED' ELSE state END",
    ("seat", "floors"): "id, store_version, mode, call_timeout_seconds, tables_total",
    ("reception", "receptions"): "id, store_id, state, channel, party_size, section, round, close_reason, created_at",
    ("reception", "lines"): "id, store_version, display_name, state, seating_mode, sent_home_at, waiting, requested",
    ("reception", "early_orders"): "id, order_version, round, state",
}
"""What every order of arrival ends in: rows without the columns that count changes or tell whose turn came first."""


def picture(folder: Path) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    """All rows that PICTURE speaks of, in order."""
    rows = {}
    for (service, table), columns in PICTURE.items():
        with closing(sqlite3.connect(folder / f"{service}.db")) as connection:
            rows[service, table] = sorted(connection.execute(f"SELECT {columns} FROM {table}"), key=repr)  # noqa: S608
    return rows


async def replay(folder: Path, stores: Stores, told: Iterable[Envelope], choice: Random | None) -> None:
    """Let services that know nothing but their stores and tables hear all of this; nobody hears what they say to it.

    In order and once without a `choice`; else in any order and company, some of it twice, some in pieces.
    """
    async with world(folder) as found:
        found.contacts = Everybody()
        for store, (profile, tables) in stores.items():
            await found.do("management", _create(store, profile))
            parcels = [parcel for body in found.told for parcel in found.bus.parcels(body)]
            await found.hand_over([parcel for parcel in parcels if parcel.consumer == "seat"])
            await found.do("seat", _add(store, tables))
        parcels = [parcel for body in told for parcel in found.bus.parcels(body) if _in_any_order(parcel)]
        if choice:
            parcels = _shuffled(found.bus, parcels, choice)
        while parcels:
            some = choice.randint(1, 10) if choice else 1
            await found.hand_over(parcels[:some])
            del parcels[:some]
        for due in await found.due():
            await found.fire(*due)
        await found.send_notices()


def _in_any_order(parcel: Parcel) -> bool:
    """Whether it may come at any time; seat speaks of a reception only after reception did."""
    return parcel.consumer != "reception" or parcel.body.source == "management"


def _shuffled(bus: ShuffledBus, parcels: Sequence[Parcel], choice: Random) -> list[Parcel]:
    twice = [parcel for parcel in parcels if choice.random() < 0.2]
    pieces = [piece for parcel in parcels if choice.random() < 0.2 for piece in bus.parts(parcel)]
    together = [*parcels, *twice, *pieces]
    return choice.sample(together, len(together))
