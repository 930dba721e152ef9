"""All five services in one process, with a test in charge of time, of timers and of every single delivery."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, select

from services.chassis.bus import Bus, Subscription
from services.chassis.clock import ManualClock
from services.chassis.event_feed import Snapshots
from services.chassis.kernel import DomainError, Stale
from services.chassis.messages import Message, envelope
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
from services.notification.adapters.queries import due_notices
from services.notification.app import build as build_notification
from services.notification.application.courier import Courier
from services.notification.domain.outcome import Outcome
from services.reception.app import build as build_reception
from services.seat.adapters.queries import check_seats
from services.seat.app import build as build_seat
from services.seat.application.add_tables import AddTables, NewTable, add_tables
from tabling.messaging.v1.envelope_pb2 import Envelope
from tests.component.saga_bus import Parcel, ShuffledBus
from tests.component.saga_vendor import Contacts, ReceptionContacts, Vendor
from tests.entitled import KEYS, PASS_KEYS, PHONE_KEYS

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

    def committed(self, uow: Any) -> None:
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

    async def hear(self) -> None:
        """Deliver what is pending, and what comes of it, in order; what was lost stays lost."""
        while self.bus.pending:
            await self.deliver(self.bus.take([0] * len(self.bus.pending)))

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
        soon = now + timedelta(minutes=1)
        notices = await service.frame.database.read(lambda connection: due_notices(connection, soon, 1000, ()))
        if notices:
            courier = Courier(self.vendor, self.contacts)
            phones, newest = await courier.look_up(notices), await ledger.newest(notices)
            findings = await courier.deliver(notices, phones, newest, now)
            with suppress(Stale):  # another round was faster: what is not settled is due again
                await ledger.settle([(notice, findings[notice.id]) for notice in notices])
        await self.publish()
        return len(notices)

    async def snapshots(self) -> list[Envelope]:
        """What all services tell somebody who has missed everything."""
        told = []
        for service in self.services.values():
            pages, position = service._parts.snapshots, None
            while pages:
                messages, position = await service.frame.database.read(_page(pages, position))
                told += [envelope(service.name, messages, self.clock.now())]
                if position is None:
                    break
        return told

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


def _page(pages: Snapshots, after: str | None) -> Callable[[Connection], tuple[list[Message], str | None]]:
    return lambda connection: pages(connection, after)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Services on the databases in a folder."""
    bus, clock = ShuffledBus(), ManualClock(NOON)
    services = {name: _build(name, folder, bus, clock) for name in BUILDS}
    found = World(folder, clock, bus, services, ReceptionContacts(services["reception"]))
    lanes = []
    for name, service in services.items():
        service.frame.on_commit.append(found.committed)
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
        database=str(folder / f"{name}.db"),
        upstreams={"reception": "127.0.0.1:1", "seat": "127.0.0.1:1"},
        keys=KEYS,
        pass_keys=PASS_KEYS,
        phone_keys=PHONE_KEYS,
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
            migrate(service, str(root / "empty" / f"{service}.db"))
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
        opening = [store_created(store, profile), _store_opened(store)]
        await found.at_once([found.do("management", work) for work in opening])
        await found.hear()
        await found.at_once([found.do("seat", tables_added(store, tables))])
    await found.hear()


def store_created(store: str, profile: Profile) -> Callable[[Any], object]:
    """Work for management: a new store."""
    return lambda uow: create_store(CreateStore(store, profile), uow)


def _store_opened(store: str) -> Callable[[Any], object]:
    return lambda uow: open_store(OpenStore(store), uow)


def tables_added(store: str, tables: Sequence[NewTable]) -> Callable[[Any], object]:
    """Work for seat: tables of a store."""
    return lambda uow: add_tables(AddTables(store, tuple(tables)), uow)
