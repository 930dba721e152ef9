"""One bounded run against the full mode: what a saga and a whole life cost, and what they leave behind."""

import asyncio
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from scripts.bench.capacity.books import Book, Books
from scripts.bench.capacity.lives import live
from scripts.bench.capacity.tap import Tap, tapped
from scripts.bench.capacity.watching import measure_watching
from scripts.bench.full.rows import Ledgers
from scripts.bench.full.system import System, full_system
from scripts.bench.identities import backend
from scripts.bench.joins import JOIN, Parties, phone
from scripts.bench.load import LoadResult, run_load_in_process
from scripts.bench.processes import spent
from scripts.bench.stores import make_stores

LINES = tuple(f"line-{number}" for number in range(40))
TABLES = tuple(f"tables-{number}" for number in range(150))
CROWD = "crowd"
FIRST_PHONE = 20_000_000
"""Parties that do not come from `Parties` have phones from here on."""

RATES = (1.0, 5.0, 28.0, 100.0, 300.0)
SECONDS = 8.0
IDLE_SECONDS = 8.0
CALLERS, CONNECTIONS = 256, 4
FOOTPRINT_RATE, FOOTPRINT_SECONDS = 50.0, 12.0
LIVES_A_STORE = 4
STREAMS, LEAVERS = 400, 5

Measured = dict[str, Any]


async def measure(say: Callable[[str], None]) -> Measured:
    """Everything, as plain figures. It takes some two minutes."""
    with tempfile.TemporaryDirectory() as folder:
        say("starting RabbitMQ, PostgreSQL, MariaDB and the services")
        async with full_system(Path(folder)) as system:
            ledgers, books = Ledgers(system.databases), Books(system.databases)
            try:
                return await Run(system, ledgers, books, say).all()
            finally:
                await ledgers.close()
                await books.close()


class Run:
    """The parts of it, in order."""

    def __init__(self, system: System, ledgers: Ledgers, books: Books, say: Callable[[str], None]) -> None:
        self._system, self._ledgers, self._books, self._say = system, ledgers, books, say
        self._parties = Parties()
        self._joined = 0
        self._phones = _phones()

    async def all(self) -> Measured:
        """Everything."""
        self._say("making stores")
        await make_stores(self._system.targets, self._system.keys, (*LINES, *TABLES, CROWD))
        await self._join(rate=None, seconds=2.0)
        found: Measured = {"where": _where(), "idle_cores": round(await self._idle(), 3)}
        before, first = await self._books.read(), self._joined
        found["loads"] = [await self._load(rate) for rate in (*RATES, None)]
        found["kept"] = kept(before, await self._books.read(), self._joined - first)
        found["saga"] = await self._left_behind(self._some_sagas)
        found["life"] = await self._left_behind(self._lives) | await self._life_cpu()
        self._say(f"{STREAMS} watchers")
        found["watching"] = asdict(await measure_watching(self._system, CROWD, self._phones, STREAMS, LEAVERS))
        return found

    async def _idle(self) -> float:
        self._say("idle")
        before = self._system.tree.cpu_seconds()
        await asyncio.sleep(IDLE_SECONDS)
        return _total(before, self._system.tree.cpu_seconds()) / IDLE_SECONDS

    async def _load(self, rate: float | None) -> Measured:
        """CPU of all processes per saga, at a rate or as fast as it goes."""
        self._say(f"{rate:g} joins a second" if rate else f"{CALLERS} callers")
        before, began = self._system.tree.cpu_seconds(), asyncio.get_running_loop().time()
        load = await self._join(rate, SECONDS)
        lasted = asyncio.get_running_loop().time() - began
        used = spent(before, self._system.tree.cpu_seconds())
        per_saga = {name: round(seconds / load.ok * 1e6) for name, seconds in sorted(used.items()) if seconds > 0}
        return {
            "rate": round(load.ok / lasted, 1) if rate is None else rate,
            "cpu_us": round(sum(used.values()) / load.ok * 1e6),
            "by_process": per_saga,
        }

    async def _join(self, rate: float | None, seconds: float) -> LoadResult:
        """Joins until every saga is complete."""
        before, since = await self._ledgers.counts(), datetime.now(UTC)
        calls = round(rate * seconds) if rate else None
        load = await run_load_in_process(
            self._system.targets["reception"],
            JOIN,
            islice(self._parties.grpc(LINES), calls or round(seconds * 3000)),
            callers=CALLERS,
            connections=CONNECTIONS,
            calls=calls,
            seconds=None if rate else seconds,
            rate=rate,
            metadata=backend(self._system.keys),
        )
        await self._ledgers.drained(before, load.ok, since)
        self._joined += load.ok
        return load

    async def _some_sagas(self) -> int:
        self._say("what a saga leaves behind")
        return (await self._join(FOOTPRINT_RATE, FOOTPRINT_SECONDS)).ok

    async def _lives(self) -> int:
        self._say("whole lives")
        before, since = await self._ledgers.counts(), datetime.now(UTC)
        lived = await live(self._system, TABLES, self._phones, LIVES_A_STORE)
        await self._ledgers.drained(before, lived, since)
        return lived

    async def _life_cpu(self) -> Measured:
        before, began = self._system.tree.cpu_seconds(), asyncio.get_running_loop().time()
        lived = await self._lives()
        lasted = asyncio.get_running_loop().time() - began
        cpu_us = _total(before, self._system.tree.cpu_seconds()) / lived * 1e6
        return {"rate": round(lived / lasted, 1), "cpu_us": round(cpu_us)}

    async def _left_behind(self, happen: Callable[[], Any]) -> Measured:
        """What the servers count while it happens, per saga."""
        before = await self._books.read()
        async with tapped(self._system.environment["TABLING_BUS"]) as tap:
            sagas = await happen()
        return {"sagas": sagas, **_per_saga(before, await self._books.read(), tap, sagas)}


def _per_saga(before: Book, after: Book, tap: Tap, sagas: int) -> Measured:
    """`log_bytes` are those of each server: all databases on one PostgreSQL write one log."""
    logs = {page.server: (after[name].log - page.log) / sagas for name, page in before.items()}
    return {
        "messages": round(tap.messages / sagas, 2),
        "events": round(tap.events / sagas, 2),
        "deliveries": round(tap.deliveries / sagas, 2),
        "message_bytes": round(tap.size / sagas),
        "log_bytes": {server: round(value) for server, value in logs.items()},
        "commits": {name: round((after[name].commits - page.commits) / sagas, 2) for name, page in before.items()},
    }


def kept(before: Book, after: Book, sagas: int) -> Measured:
    """Rows and bytes that are there afterwards, tables, indexes and the room of rows that are gone."""
    return {
        "sagas": sagas,
        "rows": {name: round((after[name].rows - page.rows) / sagas, 2) for name, page in before.items()},
        "bytes": {name: round((after[name].size - page.size) / sagas) for name, page in before.items()},
    }


def _total(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    return sum(spent(before, after).values())


def _phones() -> Iterator[str]:
    number = FIRST_PHONE
    while True:
        yield phone(number)
        number += 1


def _where() -> Measured:
    return {"day": date.today().isoformat(), "cores": os.cpu_count(), "python": platform.python_version()}
