"""One service: its parts, started and stopped in the right order."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import grpc
from sqlalchemy import Connection, MetaData

from services.chassis.bus import Bus, Subscription
from services.chassis.calls import Saga, no_saga
from services.chassis.clock import Clock
from services.chassis.consumer import Consumer, Handler
from services.chassis.crash import crash_point
from services.chassis.database import Database
from services.chassis.database.opening import open_database
from services.chassis.desk import Desk
from services.chassis.event_feed import Snapshots, add_event_feed
from services.chassis.figures import Figure, of_every_service, read_from, read_queues
from services.chassis.group_commit import GroupCommit
from services.chassis.grpc_server import GrpcServer
from services.chassis.housekeeping import Chore, keep_house
from services.chassis.interceptor import LONGEST_SECONDS, Edge
from services.chassis.logs import get_logger, tell
from services.chassis.migrate import check, migrate
from services.chassis.outbox import Outbox
from services.chassis.permissions import Door, Table
from services.chassis.readiness import Readiness
from services.chassis.relay import Relay
from services.chassis.running import CannotRun, causes
from services.chassis.settings import Settings
from services.chassis.signals import Signals
from services.chassis.telemetry import Telemetry
from services.chassis.timers import DueTimer, TimerLoop
from services.chassis.unit_of_work import Surroundings, UnitOfWork

U = TypeVar("U", bound=UnitOfWork)
T = TypeVar("T")

log = get_logger(__name__)

TimerHandler = Callable[[str, U], None]
"""`handler(key, uow)`: what a due timer does, in the transaction that takes it."""


@dataclass
class Parts(Generic[U]):
    """What a service is made of, beyond the frame."""

    grpc_services: tuple[str, ...] = ()
    permissions: Table = field(default_factory=dict)
    """Who may call what; without it nobody may call anything."""
    register: Callable[[grpc.aio.Server], None] = lambda _: None
    handlers: Mapping[str, Handler[U]] = field(default_factory=dict)
    gather_seconds: float = 0.0
    """How long an event may wait for others, whose transaction it then shares."""
    timers: Mapping[str, TimerHandler[U]] = field(default_factory=dict)
    chores: Sequence[Chore] = ()
    """What housekeeping does, beside pruning."""
    snapshots: Snapshots | None = None
    loops: Iterable[Callable[[], Coroutine[Any, Any, None]]] = ()
    figures: Sequence[Figure] = ()
    saga: Saga = no_saga
    before_start: Callable[[], Awaitable[None]] | None = None
    after_stop: Callable[[], Awaitable[None]] | None = None
    committed: Callable[[U], None] = lambda _: None
    heard: Callable[[frozenset[str] | None], None] = lambda _: None
    """Told of the topics that another process of the service has signalled; None: maybe of any."""


class Frame(Generic[U]):
    """The database side of a service, which its servicers are built on."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        tables: MetaData,
        open_unit: Callable[[Connection, Any, Surroundings], U],
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.tables = tables
        self.telemetry = Telemetry.of(settings)
        self.database: Database = open_database(settings.database, application=f"tabling-{settings.service}")
        if not self.database.shared:
            migrate(settings.service, settings.database)
        self.signals = Signals()
        around = Surroundings(settings.service, tables, marked=self.database.shared)
        self.lane: GroupCommit[U] = GroupCommit(
            self.database,
            lambda connection: open_unit(connection, clock.now(), around),
            self._committed,
            longest_pace_seconds=settings.longest_pace_seconds,
            telemetry=self.telemetry,
        )
        self.desk = Desk(self.database, self.lane, settings.keys)
        self.on_commit: list[Callable[[U], None]] = []

    async def close(self) -> None:
        """Let go of the database, and of who collects traces."""
        await self.database.close()
        if self.telemetry.tracer:
            await self.telemetry.tracer.close()

    def _committed(self, uow: U) -> None:
        for listener in self.on_commit:
            listener(uow)
        self.signals.send(uow.changes.signals)


class ServiceFailed(Exception):
    """A service ended that was not asked to; the text says which and why."""


class Service(Generic[U]):
    """A service with its servers and loops: `run` starts everything, waits, and stops everything."""

    def __init__(self, frame: Frame[U], bus: Bus, parts: Parts[U]) -> None:
        settings = frame.settings
        self.name = settings.service
        self.frame = frame
        self._bus = bus
        self._parts = parts
        self.consumer = Consumer(
            settings.service,
            parts.handlers,
            frame.lane,
            bus.put_aside,
            gather_seconds=min(parts.gather_seconds, settings.longest_pace_seconds),
            telemetry=frame.telemetry,
        )
        self.relay = Relay(
            frame.database, frame.tables, bus, self._change_outbox, frame.clock, telemetry=frame.telemetry
        )
        self.timers = TimerLoop(frame.database, frame.tables, frame.clock, self._fire)
        door = Door(settings.keys, parts.permissions)
        edge = Edge(f"{settings.service}.tabling", door, frame.telemetry, parts.saga, settings.limits)
        self.grpc = GrpcServer(
            settings.listen, edge, parts.grpc_services, self._register, reflected=settings.reflection
        )
        self.readiness = Readiness(frame.database, self.grpc.say_ready)
        self._measure(edge)
        frame.on_commit.append(self._committed)
        self.started = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then stop in order. Raises `CannotRun`, or `ServiceFailed` for anything else."""
        tell(service=self.name)
        try:
            await self._serve(stop)
        except Exception as error:
            reasons = list(causes(error))
            if any(isinstance(reason, CannotRun) for reason in reasons):
                raise
            raise ServiceFailed(f"{self.name} failed: {reasons[0]!r}") from error
        finally:
            await self._bus.close()
            await self.frame.close()

    async def _serve(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(loop()) for loop in self._loops()]
            # apart: a database that is away is waited for without end
            starting = group.create_task(self._start())
            stopping = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait([stopping, *loops], return_when=asyncio.FIRST_COMPLETED)
                if not stop.is_set():
                    raise RuntimeError("a loop ended by itself")
            finally:
                stopping.cancel()
                starting.cancel()
                await asyncio.wait([starting])
                await self._stop()
                for loop in loops:
                    loop.cancel()

    async def _start(self) -> None:
        await self.grpc.listen()
        if self.frame.database.shared:
            await check(self.name, self.frame.settings.database, self.frame.database)
            self._bus.listen(self.name, self._heard)
        if self._parts.before_start:
            await self._parts.before_start()
        if self.consumer.types:
            await self._bus.subscribe(Subscription(self.name, self.consumer.types, self.consumer.receive))
        await self.grpc.start()
        self.started.set()
        log.info("serving", port=self.grpc.port)

    async def _stop(self) -> None:
        await self.grpc.drain()
        await asyncio.sleep(self.frame.settings.drain_seconds)
        await self._bus.unsubscribe(self.name)
        await self.grpc.stop(LONGEST_SECONDS)
        if self._parts.after_stop:
            await self._parts.after_stop()

    def _loops(self) -> Iterable[Callable[[], Coroutine[Any, Any, None]]]:
        lane, relay, timers = self.frame.lane.serve, self.relay.serve, self.timers.serve
        house = lambda: keep_house(self.frame.lane, self.frame.clock, self._parts.chores)  # noqa: E731
        return (lane, relay, timers, house, self.readiness.serve, *self._metrics_port(), *self._parts.loops)

    def _measure(self, edge: Edge) -> None:
        frame, metrics = self.frame, self.frame.telemetry.metrics
        metrics.gauge("tabling_rpc_running", "Unary calls under way.", lambda: edge.running)
        metrics.gauge("tabling_rpc_streams", "Streams that are open.", lambda: edge.streams)
        metrics.gauge("tabling_work_waiting", "Pieces of work waiting for a transaction.", lambda: frame.lane.waiting)
        figures = [*of_every_service(frame.tables), *self._parts.figures]
        read_from(metrics, frame.database, frame.clock, figures)
        read_queues(metrics, lambda: self._bus.waiting(self.name))

    def _metrics_port(self) -> Iterable[Callable[[], Coroutine[Any, Any, None]]]:
        if listen := self.frame.settings.metrics_listen:
            from services.chassis.metrics_port import serve_metrics  # a library that is loaded only to be used

            yield lambda: serve_metrics(listen, [self.frame.telemetry.metrics])

    def _register(self, server: grpc.aio.Server) -> None:
        self._parts.register(server)
        if self._parts.snapshots:
            add_event_feed(server, self.frame.database, self.name, self.frame.clock, self._parts.snapshots)

    def _committed(self, uow: U) -> None:
        self.relay.hand_over(uow.outbox.written)
        self.timers.wake(uow.timers.earliest)
        self._parts.committed(uow)
        if self.frame.database.shared and uow.changes.signals:
            self._bus.announce(self.name, uow.changes.signals)

    def _heard(self, topics: frozenset[str] | None) -> None:
        self._parts.heard(topics)
        if topics is None:
            self.frame.signals.send_all()
        else:
            self.frame.signals.send(topics)

    async def _change_outbox(self, work: Callable[[Outbox], T]) -> T:
        return await self.frame.lane.run(lambda uow: work(uow.outbox), bounded=False, patience=0.1)

    async def _fire(self, timer: DueTimer) -> None:
        def work(uow: U) -> bool:
            if claimed := uow.timers.claim(timer):
                crash_point("timer.claimed")
                self._parts.timers[timer.kind](timer.key, uow)
            return claimed

        with self.frame.telemetry.fires(timer.kind, timer.key) as fired:
            if await self.frame.lane.run(work, bounded=False):
                fired()
