"""Limits of several receptions on one database: what all of them together let in, under joins at once."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from services.chassis.limits import MOST_OF_ANYTHING, Limits
from services.chassis.testing import eventually
from services.reception.adapters.tables import lines, receptions
from tabling.management.v1.store_pb2 import Store
from tests.component.replicas_kit import Replica, accepted, open_everywhere, outcomes, reasons, replicas

pytestmark = pytest.mark.parametrize("storage", ["postgresql", "mariadb"], indirect=True)

Vhost = Callable[[], str]

TEN_MINUTES = timedelta(minutes=10)
SEEDS = range(3)


async def test_a_phone_joins_no_more_often_wherever_it_joins(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost(), count=3, limits=Limits()) as houses:
        stores = [f"store{n}" for n in range(3)]
        for store in stores:
            await open_everywhere(houses, store)

        async def come_and_go(house: Replica, store: str, phone: str) -> bool:
            joined = await house.join(store=store, phone=phone)
            await house.cancel(joined.name)
            return True

        phones = [f"0101234567{n}" for n in range(4)]
        came: Counter[str] = Counter()
        for wanted in (3, 6, 9, 10):
            # one after another at each of the stores, all stores at once: nobody is in the same line twice
            for _ in range(3):
                tries = [(house, store, phone) for house, store in zip(houses, stores, strict=True) for phone in phones]
                answers = await outcomes(come_and_go(*each) for each in tries)
                came.update(phone for (_, _, phone), answer in zip(tries, answers, strict=True) if answer is True)
                assert all("joined" in reason for reason in reasons(answers))
            assert came == dict.fromkeys(phones, wanted)
            houses[0].clock.advance(TEN_MINUTES)
        assert await houses[0].service.frame.database.read(_count) == sum(came.values())


def _count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(receptions)).scalar_one()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_line_takes_so_many_people_at_once_and_no_more(tmp_path: Path, fresh_vhost: Vhost, seed: int) -> None:
    choice = Random(seed)
    half = choice.randint(3, 20)
    limits = Limits(most_joins_of_line_a_minute=2 * half, most_joins_of_address_in_ten_minutes=MOST_OF_ANYTHING)
    async with replicas(tmp_path, fresh_vhost(), count=3, limits=limits) as houses:
        total = 0
        for room in (2 * half, half, 2 * half):
            answers = await outcomes(choice.choice(houses).join() for _ in range(room + choice.randint(10, 40)))
            assert len(accepted(answers)) == room
            assert all("stores/sushi takes" in reason for reason in reasons(answers))
            total += room
            houses[0].clock.advance(timedelta(seconds=30 if total == room else 60))
        assert await houses[0].service.frame.database.read(_numbers) == [*range(1, total + 1)]


async def test_an_address_brings_so_many_parties_to_a_line_and_no_more(tmp_path: Path, fresh_vhost: Vhost) -> None:
    limits = Limits(most_joins_of_address_in_ten_minutes=8)
    async with replicas(tmp_path, fresh_vhost(), count=3, limits=limits) as houses:
        for room, seconds in ((8, 300), (4, 600), (8, 0)):
            answers = await outcomes(house.join() for house in houses * 8)
            assert len(accepted(answers)) == room
            assert all("8 join from one address" in reason for reason in reasons(answers))
            houses[0].clock.advance(timedelta(seconds=seconds))


CHANGES: dict[str, dict[str, Any]] = {
    "closed": {"state": Store.CLOSED},
    "paused": {"state": Store.PAUSED},
    "smaller": {"max_waiting": 5},
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", CHANGES)
async def test_nobody_joins_a_store_that_has_changed_and_nobody_who_joined_is_lost(
    tmp_path: Path, fresh_vhost: Vhost, change: str, seed: int
) -> None:
    choice = Random(seed)
    async with replicas(tmp_path, fresh_vhost(), count=3) as houses:
        database = houses[0].service.frame.database
        before = await database.read(_store_version)

        async def has_changed() -> bool:
            return await database.read(_store_version) > before

        joining: list[asyncio.Future[Any]] = []
        moment = choice.randrange(40)
        for n in range(60):
            joining.append(asyncio.ensure_future(choice.choice(houses).join()))
            if n == moment:
                await houses[0].store_is(**CHANGES[change])
            elif choice.random() < 0.5:
                await asyncio.sleep(0)
        await eventually(has_changed)
        late = await outcomes(house.join() for house in houses * 5)
        early = await outcomes(joining)
        numbers = await database.read(_numbers)
        assert sorted(joined.waiting_number for joined in accepted([*early, *late])) == numbers
        assert numbers == [*range(1, len(numbers) + 1)]
        if accepted(late):
            assert (change, len(numbers)) == ("smaller", 5)
        assert reasons(late) <= {
            "FAILED_PRECONDITION: stores/sushi is CLOSED",
            "FAILED_PRECONDITION: stores/sushi is PAUSED",
            f"RESOURCE_EXHAUSTED: {len(numbers)} parties are in line; 5 at most",
        }


def _numbers(connection: Connection) -> list[int]:
    return [*connection.execute(select(receptions.c.waiting_number).order_by(receptions.c.waiting_number)).scalars()]


def _store_version(connection: Connection) -> int:
    version: int = connection.execute(select(lines.c.store_version)).scalar_one()
    return version
