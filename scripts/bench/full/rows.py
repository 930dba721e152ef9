"""What the databases hold after a run: a load generator's 200 proves nothing."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Table, distinct, func, select

from services.chassis.database import Database
from services.chassis.database.opening import open_database
from services.dashboard.adapters.tables import receptions as shown
from services.management.adapters.tables import orders
from services.notification.adapters.tables import notices
from services.reception.adapters.tables import receptions
from services.seat.adapters.tables import seatings

COUNTED: Mapping[str, Table] = {
    "reception": receptions,
    "seat": seatings,
    "management": orders,
    "dashboard": shown,
    "notification": notices,
}
TOLD = notices.c.state.in_(("SENT", "DELIVERED"))
LONGEST_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Joins that have gone as far as each service: `notification` counts parties that were told something."""

    by_service: Mapping[str, int]

    def since(self, before: "Counts") -> "Counts":
        """What came to be after `before`."""
        return Counts({service: count - before.by_service[service] for service, count in self.by_service.items()})

    @property
    def complete(self) -> int:
        """Sagas that have gone all the way."""
        return min(self.by_service.values())


@dataclass(frozen=True, slots=True)
class Faults:
    """What must not be: parties that stand in line twice, notices sent twice, and what is wrong with the numbers."""

    twice_in_line: int
    twice_told: int
    out_of_order: int


class Ledgers:
    """The databases of all services, by their addresses; read only."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._databases: dict[str, Database] = {
            service: open_database(addresses[service], application="tabling bench", longest_seconds=LONGEST_SECONDS)
            for service in COUNTED
        }

    async def close(self) -> None:
        """Let go of all connections."""
        for database in self._databases.values():
            await database.close()

    async def counts(self) -> Counts:
        """How many there are now."""
        found = await asyncio.gather(*(self._ask(service, _count(service)) for service in COUNTED))
        return Counts(dict(zip(COUNTED, found, strict=True)))

    async def drained(self, before: Counts, accepted: int, since: datetime, *, seconds: float = 60.0) -> float:
        """Wait until so many sagas have gone all the way, or no longer than `seconds`; the time it then is (epoch)."""
        limit = time.monotonic() + seconds
        last = select(func.count()).select_from(notices).where(notices.c.created_at >= since, TOLD)
        while time.monotonic() < limit:
            # counting everything takes the databases' time: it begins when the last step looks done
            if await self._ask("notification", lambda c: c.execute(last).scalar_one()) >= accepted:
                now = time.time()
                if (await self.counts()).since(before).complete >= accepted:
                    return now
            await asyncio.sleep(0.05)
        return time.time()

    async def faults(self, since: datetime, store_id: str | None) -> Faults:
        """What is wrong with the rows made `since` then; `store_id`: the store whose numbers are looked at."""
        return Faults(
            twice_in_line=await self._ask("reception", lambda c: _twice_in_line(c, since)),
            twice_told=await self._ask("notification", lambda c: _twice_told(c, since)),
            out_of_order=await self._ask("reception", lambda c: _out_of_order(c, since, store_id)) if store_id else 0,
        )

    async def waiting(self) -> int:
        """How many parties wait in all lines."""
        statement = select(func.count()).select_from(receptions).where(receptions.c.state == "WAITING")
        return await self._ask("reception", lambda c: c.execute(statement).scalar_one())

    async def _ask(self, service: str, question: Callable[[Connection], int]) -> int:
        return await self._databases[service].scan(question)


def _count(service: str) -> Callable[[Connection], int]:
    if service == "notification":
        statement: Any = select(func.count(distinct(notices.c.reception_id))).where(TOLD)
    else:
        statement = select(func.count()).select_from(COUNTED[service])
    return lambda connection: int(connection.execute(statement).scalar_one())


def _twice_in_line(connection: Connection, since: datetime) -> int:
    """Every party of a benchmark is another customer."""
    statement = select(func.count() - func.count(distinct(receptions.c.customer_key))).select_from(receptions)
    return int(connection.execute(statement.where(receptions.c.created_at >= since)).scalar_one())


def _twice_told(connection: Connection, since: datetime) -> int:
    same = (notices.c.reception_id, notices.c.purpose, notices.c.round)
    twice = select(func.count()).where(notices.c.created_at >= since).group_by(*same).having(func.count() > 1)
    return len(connection.execute(twice).fetchall())


def _out_of_order(connection: Connection, since: datetime, store_id: str) -> int:
    """Numbers left out or given twice, and numbers that do not follow the order in which parties were committed."""
    columns = receptions.c
    statement = (
        select(columns.waiting_number, columns.promised, columns.created_at)
        .where(columns.store_id == store_id, columns.created_at >= since, columns.waiting_number > 0)
        .order_by(columns.order_key)
    )
    rows = connection.execute(statement).fetchall()
    numbers = sorted(row.waiting_number for row in rows)
    gaps = sum(1 for before, after in pairwise(numbers) if after != before + 1)
    # who was promised a table that then was gone got its number later than its place
    at_once = [(row.created_at, row.waiting_number) for row in rows if not row.promised]
    swapped = sum(1 for before, after in pairwise(at_once) if after[0] < before[0] or after[1] <= before[1])
    return gaps + swapped
