"""The smallest service there can be: counters that events add to. For tests of the chassis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, select

from services.chassis.consumer import Handler
from services.chassis.database import Database
from services.chassis.database.sqlite import SqliteDatabase
from services.chassis.group_commit import GroupCommit
from services.chassis.kernel import Aggregate, NotFound
from services.chassis.messages import Message
from services.chassis.tables import chassis_tables
from services.chassis.unit_of_work import Surroundings, UnitOfWork

metadata = MetaData()
chassis_tables(metadata)
counters = Table(
    "counters",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("version", Integer, nullable=False),
)

COUNTED = "counters.counter.counted.v1"


@dataclass(kw_only=True)
class Counter(Aggregate):
    """Counts upwards; refuses at ten."""

    id: str
    count: int = 0

    def add(self) -> None:
        if self.count >= 10:
            raise NotFound(f"counter {self.id} is full")
        self.count += 1
        self.record("counted")


class CounterUnit(UnitOfWork):
    """A unit of work over counters."""

    def __init__(self, connection: Connection, now: datetime, around: Surroundings) -> None:
        super().__init__(connection, now, around)
        self.counters = self.rows(
            "counters",
            counters,
            key=lambda counter: counter.id,
            to_row=lambda counter: {"count": counter.count},
            from_row=lambda row: Counter(id=row["id"], count=row["count"], version=row["version"]),
            messages=lambda counter: [message(counter.id) for _ in counter.events],
        )


def message(counter: str) -> Message:
    """The event that a counter was added to."""
    return Message(COUNTED, counter, counter, StringValue(value=counter).SerializeToString())


def add_to(counter: str, uow: CounterUnit) -> int:
    """Load, ask, save."""
    found = uow.counters.find(counter) or Counter(id=counter)
    found.add()
    uow.counters.save(found)
    return found.count


def on_counted(event: Any, uow: CounterUnit) -> None:
    """Count what others counted; a counter named `poison` can never be applied."""
    if event.value == "poison":
        raise ValueError("poison")
    add_to(f"copy-{event.value}", uow)


HANDLERS = {COUNTED: Handler(StringValue, on_counted, lambda event: {"counters": [f"copy-{event.value}"]})}


@dataclass
class Running:
    """A database with its group commit, running."""

    database: Database
    lane: GroupCommit[CounterUnit]
    committed: list[CounterUnit]

    async def counts(self) -> dict[str, int]:
        """All counters as they are in the database."""
        rows = await self.database.read(lambda c: c.execute(select(counters.c.id, counters.c.count)).all())
        return {row[0]: row[1] for row in rows}


@asynccontextmanager
async def counting(folder: Path, **options: Any) -> AsyncIterator[Running]:
    """A fresh or existing database of counters in `folder`, with a group commit on it."""
    async with counting_on(SqliteDatabase(folder / "counters.db", busy_seconds=0.05), **options) as running:
        yield running


@asynccontextmanager
async def counting_on(database: Database, **options: Any) -> AsyncIterator[Running]:
    """A database of counters, fresh or existing, with a group commit on it; closed at the end."""
    await database.write(metadata.create_all)
    committed: list[CounterUnit] = []
    around = Surroundings("counters", metadata, marked=database.shared)
    lane = GroupCommit(
        database,
        lambda c: CounterUnit(c, datetime.now(UTC), around),
        committed.append,
        longest_pace_seconds=0,
        **options,
    )
    task = asyncio.create_task(lane.serve())
    try:
        yield Running(database, lane, committed)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await database.close()
