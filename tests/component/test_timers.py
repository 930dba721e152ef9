"""Durable timers: fired at their time, once, also after a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from services.chassis.clock import ManualClock
from services.chassis.testing import eventually
from services.chassis.timers import DueTimer, TimerLoop
from tests.component.counters import CounterUnit, Running, add_to, counting, metadata

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SOON = timedelta(minutes=5)


def set_timer(key: str, uow: CounterUnit) -> None:
    """A timer that is due soon."""
    uow.timers.set("hold", key, NOON + SOON)


@asynccontextmanager
async def firing(running: Running, clock: ManualClock) -> AsyncIterator[TimerLoop]:
    """A timer loop that counts what it fires."""

    async def fire(timer: DueTimer) -> None:
        await running.lane.run(lambda uow: uow.timers.claim(timer) and add_to(f"fired-{timer.key}", uow))

    loop = TimerLoop(running.database, metadata, clock, fire)
    task = asyncio.create_task(loop.serve())
    try:
        yield loop
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_timer_fires_at_its_time_and_once(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with counting(tmp_path) as running, firing(running, clock) as loop:
        await running.lane.run(lambda uow: uow.timers.set("hold", "a", NOON + SOON))
        loop.wake(NOON + SOON)
        clock.advance(SOON - timedelta(seconds=1))
        assert await running.counts() == {}
        clock.advance(timedelta(seconds=1))
        await eventually(running.counts)
        clock.advance(SOON)
        loop.wake(NOON)
        assert await running.counts() == {"fired-a": 1}


async def test_a_canceled_timer_does_not_fire(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with counting(tmp_path) as running, firing(running, clock) as loop:
        await running.lane.run(lambda uow: uow.timers.set("hold", "a", NOON + SOON))
        await running.lane.run(lambda uow: uow.timers.set("hold", "b", NOON + SOON))
        await running.lane.run(lambda uow: uow.timers.cancel("hold", "a"))
        loop.wake(NOON)
        clock.advance(SOON)
        await eventually(running.counts)
        assert await running.counts() == {"fired-b": 1}


async def test_a_timer_that_was_set_again_fires_at_the_later_time_only(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with counting(tmp_path) as running, firing(running, clock) as loop:
        await running.lane.run(lambda uow: uow.timers.set("hold", "a", NOON + SOON))
        await running.lane.run(lambda uow: uow.timers.set("hold", "a", NOON + 2 * SOON))
        await running.lane.run(lambda uow: uow.timers.set("hold", "b", NOON + SOON))
        loop.wake(NOON)
        clock.advance(SOON)
        await eventually(running.counts)
        assert await running.counts() == {"fired-b": 1}
        clock.advance(SOON)

        async def both() -> bool:
            return len(await running.counts()) == 2

        await eventually(both)


async def test_a_timer_that_fell_due_while_nothing_ran_fires_at_the_next_start(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with counting(tmp_path) as running:
        await running.lane.run(lambda uow: uow.timers.set("hold", "a", NOON + SOON))
    clock.advance(2 * SOON)
    async with counting(tmp_path) as running, firing(running, clock):
        await eventually(running.counts)
        assert await running.counts() == {"fired-a": 1}


async def test_two_loops_fire_one_timer_once(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with counting(tmp_path) as running, firing(running, clock) as one, firing(running, clock) as other:
        for key in "abcdefgh":
            await running.lane.run(partial(set_timer, key))
        one.wake(NOON)
        other.wake(NOON)
        clock.advance(SOON)

        async def all_fired() -> bool:
            return len(await running.counts()) == 8

        await eventually(all_fired)
        assert set((await running.counts()).values()) == {1}
