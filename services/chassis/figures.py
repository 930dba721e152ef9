"""Figures that are read from the database when somebody looks: true for all replicas, and free until then."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlalchemy import Connection, MetaData, Select, func, select

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.metrics import Family, Labels, Metrics, Readings

Reading = Mapping[Labels, float]

QUEUES = Family("tabling_queue_messages", "Messages ready in the service's queues on RabbitMQ.", ("queue",))


@dataclass(frozen=True, slots=True)
class Figure:
    """A gauge in the database. `read(connection, now)` is one cheap statement, whose labels take few values."""

    family: Family
    read: Callable[[Connection, datetime], Reading]


def counted(statement: Select[str, int], values: Iterable[Enum]) -> Callable[[Connection, datetime], Reading]:
    """Reads a `SELECT label, count(*) … GROUP BY label`; what is not there is 0."""
    none: dict[Labels, float] = {(str(value.value),): 0 for value in values}

    def read(connection: Connection, now: datetime) -> Reading:
        return {**none, **{(label,): count for label, count in connection.execute(statement)}}

    return read


def read_from(metrics: Metrics, database: Database, clock: Clock, figures: Sequence[Figure]) -> None:
    """Have `metrics` ask the database for these figures, all in one read."""

    def read(connection: Connection) -> Readings:
        now = clock.now()
        return {figure.family: figure.read(connection, now) for figure in figures}

    async def ask() -> Readings:
        return await database.scan(read)

    metrics.ask("database", [figure.family for figure in figures], ask)


def read_queues(metrics: Metrics, waiting: Callable[[], Awaitable[Mapping[str, int]]]) -> None:
    """Have `metrics` ask the bus for the messages that wait for the service, by queue."""

    async def ask() -> Readings:
        return {QUEUES: {(queue,): count for queue, count in (await waiting()).items()}}

    metrics.ask("bus", [QUEUES], ask)


def of_every_service(tables: MetaData) -> list[Figure]:
    """Outbox, timers and dead letters."""
    outbox, timers, dead = (tables.tables[name] for name in ("outbox", "timers", "dead_letters"))
    oldest = select(outbox.c.created_at).order_by(outbox.c.id).limit(1)
    earliest = select(func.min(timers.c.due_at))

    def count(statement: Select[int]) -> Callable[[Connection, datetime], Reading]:
        return lambda connection, now: {(): connection.execute(statement).scalar_one()}

    def age(statement: Select[datetime]) -> Callable[[Connection, datetime], Reading]:
        def read(connection: Connection, now: datetime) -> Reading:
            since = connection.execute(statement).scalar_one_or_none()
            return {(): max(0.0, (now - since).total_seconds()) if since else 0.0}

        return read

    def due(connection: Connection, now: datetime) -> Reading:
        statement = select(func.count()).select_from(timers).where(timers.c.due_at <= now)
        return {(): connection.execute(statement).scalar_one()}

    return [
        Figure(
            Family("tabling_outbox_envelopes", "Envelopes committed and not yet removed from the outbox."),
            count(select(func.count()).select_from(outbox)),
        ),
        Figure(Family("tabling_outbox_oldest_seconds", "Age of the oldest envelope in the outbox."), age(oldest)),
        Figure(Family("tabling_timers_due", "Timers whose time has come and that were not fired yet."), due),
        Figure(Family("tabling_timers_late_seconds", "How long the earliest timer has been due."), age(earliest)),
        Figure(
            Family("tabling_dead_letters", "Events put aside in the database, for somebody to look at."),
            count(select(func.count()).select_from(dead)),
        ),
    ]
