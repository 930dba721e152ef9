"""Where full systems live through drills: databases of one kind, a broker, and restaurants that are open."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TypeVar

from services.chassis.migrate import migrate
from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from services.full.servers import Maria, Postgres, Rabbit
from tests.conftest import Kind
from tests.drills.calls import Client, Record
from tests.drills.fleet import Fleet, running_fleet
from tests.drills.load import Load
from tests.drills.points import Death
from tests.drills.restaurants import open_restaurants
from tests.drills.site import Site
from tests.drills.trial import Report, Trial
from tests.e2e.callers import Callers
from tests.e2e.system import free_ports

S = TypeVar("S", Postgres, Maria, Rabbit)

MOST_REPLICAS = 2
REST_SECONDS = 0.15
"""Between one thing that somebody does and the next: with none, this process would take most of the machine."""

WAITING_SECONDS = 1.0
DYING_SECONDS = 240.0
LONGEST_LOAD_SECONDS = 600.0
SETTLING_SECONDS = 300.0

Trouble = Callable[[Fleet, Client], Awaitable[None]]
"""Something that goes wrong while a system lives; returns when it is over."""


class Servers:
    """Servers of the drills' own, for they are killed; each started when it is first wanted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Postgres | Maria | Rabbit] = []

    @cached_property
    def rabbit(self) -> Rabbit:
        return self._start(Rabbit(self._folder / "drilled-rabbit"))

    @cached_property
    def postgres(self) -> Postgres:
        return self._start(Postgres(self._folder / "drilled-postgres", durable=False))

    @cached_property
    def maria(self) -> Maria:
        return self._start(Maria(self._folder / "drilled-maria", durable=False))

    def address(self, kind: Kind, name: str, folder: Path) -> str:
        """The address of an empty database."""
        if kind == "sqlite":
            return f"sqlite:///{folder / name}.db"
        server = self.postgres if kind == "postgresql" else self.maria
        return server.database(f"{folder.name}_{name}")

    def stop(self) -> None:
        """End them all."""
        for server in self._started:
            server.stop()

    def _start(self, server: S) -> S:
        server.start()
        self._started.append(server)
        return server


@dataclass
class Arena:
    """What outlives the fleets: databases, virtual host, KakaoTalk's folder, keys, ports, and the record of all drills.

    `sound` is False after a drill that failed: what it left behind would be held against the next ones.
    """

    kind: Kind
    servers: Servers
    folder: Path
    addresses: Mapping[str, str] = field(init=False)
    bus: str = field(init=False)
    callers: Callers = field(init=False)
    record: Record = field(init=False)
    sound: bool = True

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.addresses = {name: self.servers.address(self.kind, name, self.folder) for name in PORTS}
        self.bus = self.servers.rabbit.vhost(self.folder.name)
        self.callers = Callers(self.folder)
        self.record = Record(Random(self.kind))
        first = free_ports(1 + len(PORTS) * MOST_REPLICAS)
        self._kakao_port, numbers = first, itertools.count(first + 1)
        self._ports = {name: [next(numbers) for _ in range(MOST_REPLICAS)] for name in PORTS}
        self._lives = itertools.count(1)
        for name, address in self.addresses.items():
            migrate(name, address)

    @asynccontextmanager
    async def living(
        self,
        deaths: Mapping[str, Sequence[Death]] | None = None,
        *,
        replicas: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> AsyncIterator[tuple[Fleet, Site]]:
        """A fleet, and where its traces are; what it prints goes to a folder of its own."""
        logs = self.folder / f"life-{next(self._lives)}"
        logs.mkdir()
        ports = {name: numbers[:replicas] for name, numbers in self._ports.items()}
        given = {"TABLING_BUS": self.bus, "TABLING_KAKAO_URL": f"http://127.0.0.1:{self._kakao_port}"}
        given |= {f"TABLING_{name.upper()}_DATABASE": address for name, address in self.addresses.items()}
        given |= {**self.callers.keys.environment, **(environment or {})}
        kakao = self.folder / "kakao"
        async with running_fleet(given, logs, kakao, ports, self._kakao_port, deaths or {}, self.callers) as fleet:
            yield fleet, Site(self.addresses, kakao, [each.log for each in fleet.replicas], self.bus)


class Arenas:
    """One arena of each kind, made when first wanted, and again after a drill that failed."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.servers = servers
        self._folder = folder
        self._arenas: dict[Kind, Arena] = {}
        self._numbers = itertools.count(1)

    async def of(self, kind: Kind) -> Arena:
        """A sound one, the restaurants open."""
        found = self._arenas.get(kind)
        if found is None or not found.sound:
            found = await asyncio.to_thread(Arena, kind, self.servers, self._folder / f"{kind}_{next(self._numbers)}")
            async with found.living() as (fleet, site), Client(fleet, found.record) as client:
                await open_restaurants(client, site)
            await asyncio.to_thread(self.servers.rabbit.sync)
            self._arenas[kind] = found
        return found


class FleetDrill(Trial):
    """A full system under load, and something that goes wrong with it."""

    def __init__(self, arena: Arena, what: str) -> None:
        super().__init__(arena.record, SETTLING_SECONDS)
        self.arena = arena
        self.what = what

    async def die(self, deaths: Mapping[str, Sequence[Death]]) -> Report:
        """Live under load until every service has died all its deaths; then look."""

        async def until_all_died(fleet: Fleet, client: Client) -> None:
            try:
                await eventually(lambda: not fleet.awaited, seconds=DYING_SECONDS)
            except AssertionError:
                raise AssertionError(f"not passed within {DYING_SECONDS:g} s: {fleet.awaited}") from None

        passings = ",".join(str(each.passing) for awaiting in deaths.values() for each in awaiting)
        return await self.live_through(until_all_died, passings, deaths=deaths)

    async def live_through(
        self,
        trouble: Trouble,
        passing: str = "",
        *,
        deaths: Mapping[str, Sequence[Death]] | None = None,
        replicas: int = 1,
        environment: Mapping[str, str] | None = None,
        foreseen: Sequence[str] = (),
    ) -> Report:
        """Live under load while something goes wrong, until everything has come right again; then look."""
        self.arena.sound = False
        living = self.arena.living(deaths, replicas=replicas, environment=environment)
        async with living as (fleet, site), Client(fleet, self.record) as client:
            began = time.monotonic()
            await self._suffer(trouble, fleet, client)
            over = time.monotonic()
            what, lasting = f"{self.arena.kind}: {self.what}", over - began
            report = await self.come_right(client, site, what, passing, lasting=lasting, since=over, foreseen=foreseen)
        report.findings.wrong.extend(fleet.strange_ends)
        self.arena.sound = not report.findings
        return report

    async def _suffer(self, trouble: Trouble, fleet: Fleet, client: Client) -> None:
        load = Load(client, REST_SECONDS, WAITING_SECONDS)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(LONGEST_LOAD_SECONDS))
            try:
                await trouble(fleet, client)
            finally:
                load.end()
        self.note_doubtful()
