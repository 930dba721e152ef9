"""The question to seat: asked together, answered in time, and not at all for a moment when seat ails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.chassis.testing import eventually
from services.reception.adapters import seats as adapter
from services.reception.adapters.seats import FAILURES_TO_OPEN, CheckSeats
from services.reception.application.ports import Question
from tests.component.reception_kit import Seats, seat_service


@asynccontextmanager
async def asking() -> AsyncIterator[tuple[CheckSeats, Seats]]:
    async with seat_service() as (seats, target):
        client = CheckSeats(target, ())
        serving = asyncio.create_task(client.serve())
        try:
            yield client, seats
        finally:
            serving.cancel()
            await asyncio.wait([serving])


async def fits(client: CheckSeats, party_size: int) -> bool:
    (answer,) = await client.fit([Question("a", party_size, "")])
    return answer


async def test_who_asks_during_a_call_travels_with_the_next() -> None:
    async with asking() as (client, seats):
        seats.fit = True
        seats.answering.clear()
        first = asyncio.create_task(fits(client, 2))
        await eventually(lambda: seats.calls)
        others = [asyncio.create_task(fits(client, 1 + n % 4)) for n in range(100)]
        await asyncio.sleep(0)
        seats.answering.set()
        assert all(await asyncio.gather(first, *others))
        # the same words are one question
        assert [len(questions) for questions in seats.calls] == [1, 4]


async def test_no_answer_in_time_means_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "DEADLINE_SECONDS", 0.1)
    async with asking() as (client, seats):
        seats.fit = True
        seats.answering.clear()
        assert not await fits(client, 2)


async def test_who_stops_waiting_holds_up_nobody() -> None:
    async with asking() as (client, seats):
        seats.fit = True
        gone = asyncio.create_task(fits(client, 2))
        await asyncio.sleep(0)
        gone.cancel()
        assert await fits(client, 2)


async def test_an_ailing_seat_is_left_alone_for_a_moment() -> None:
    async with asking() as (client, seats):
        seats.broken = True
        for _ in range(FAILURES_TO_OPEN):
            assert not await fits(client, 2)
        asked = len(seats.calls)
        assert not await fits(client, 2)
        assert len(seats.calls) == asked
        seats.broken, seats.fit = False, True
        assert await eventually(lambda: fits(client, 2))


async def test_whether_an_ailing_seat_answers_again_is_found_out_while_nobody_waits() -> None:
    async with asking() as (client, seats):
        seats.broken = True
        for _ in range(FAILURES_TO_OPEN):
            assert not await fits(client, 2)
        seats.broken, seats.fit = False, True
        seats.answering.clear()
        asked = len(seats.calls)
        while len(seats.calls) == asked:
            # answered at once, although seat takes its time
            assert not await asyncio.wait_for(fits(client, 2), adapter.DEADLINE_SECONDS / 2)
        seats.answering.set()
        assert await eventually(lambda: fits(client, 2))


async def test_a_call_that_does_not_arrive_is_made_once_more() -> None:
    async with asking() as (client, seats):
        seats.fit, seats.away_for = True, 1
        assert await fits(client, 2)
        assert len(seats.calls) == 2
