"""What a consumer does with an envelope that it cannot apply."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.chassis.consumer import Consumer
from services.chassis.kernel import StorageBusy
from services.chassis.messages import envelope
from services.chassis.testing import eventually
from tabling.messaging.v1.envelope_pb2 import Envelope, Event
from tests.component.counters import HANDLERS, CounterUnit, Running, counting, message

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def body(*counters: str) -> Envelope:
    return envelope("counters", [message(counter) for counter in counters], NOW)


class Shelf:
    """Somebody else who keeps what cannot be applied."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def put_aside(self, consumer: str, event: Event, error: Exception) -> bool:
        self.events.append(event)
        return True

    @property
    def subjects(self) -> list[str]:
        return [event.subject for event in self.events]


def consumer(running: Running, shelf: Shelf, patience_seconds: float = 60.0) -> Consumer[CounterUnit]:
    """A consumer that is quick to give up."""
    return Consumer(
        "a",
        HANDLERS,
        running.lane,
        shelf.put_aside,
        attempts=2,
        first_delay_seconds=0.001,
        patience_seconds=patience_seconds,
    )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Somebody else writes to the database."""
    connection = sqlite3.connect(folder / "counters.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.rollback()
    connection.close()


async def test_only_what_fails_is_put_aside(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        shelf = Shelf()
        await consumer(running, shelf).receive(body("x", "poison", "y", "poison"))
        assert await running.counts() == {"copy-x": 1, "copy-y": 1}
        assert shelf.subjects == ["poison", "poison"]


async def test_an_envelope_that_was_split_does_nothing_when_it_comes_again(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        shelf, split = Shelf(), body("x", "poison")
        receiver = consumer(running, shelf)
        await receiver.receive(split)
        await receiver.receive(split)
        assert await running.counts() == {"copy-x": 1}
        assert shelf.subjects == ["poison"]


async def test_what_was_put_aside_is_not_taken_for_applied(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        shelf = Shelf()
        receiver = consumer(running, shelf)
        await receiver.receive(body("poison"))
        (event,) = shelf.events
        alone = Envelope(id=event.id, source="counters", events=[event])
        await receiver.receive(alone)
        cured = message("z")
        event.data = cured.data
        await receiver.receive(Envelope(id=event.id, source="counters", events=[event]))
        assert shelf.subjects == ["poison", "poison"]
        assert await running.counts() == {"copy-z": 1}


async def test_an_envelope_with_nothing_wanted_in_it_leaves_no_trace(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        stranger = body("x")
        stranger.events[0].type = "a.b.c.v1"
        await consumer(running, Shelf()).receive(stranger)
        assert running.committed == []


async def test_an_unusable_database_is_waited_for(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        shelf = Shelf()
        with locked(tmp_path):
            receiving = asyncio.ensure_future(consumer(running, shelf).receive(body("x")))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await asyncio.shield(receiving)
        await eventually(receiving.done)
        assert await running.counts() == {"copy-x": 1}
        assert shelf.events == []


async def test_an_unusable_database_is_not_waited_for_without_end(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        shelf = Shelf()
        with locked(tmp_path), pytest.raises(StorageBusy):
            await consumer(running, shelf, patience_seconds=0.2).receive(body("x"))
        assert shelf.events == []
