"""One round of the benchmark: the empty method, then joins against a fresh system, counted in its databases."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from scripts.bench.child import ROOT
from scripts.bench.compared import CONNECTIONS, empty_method
from scripts.bench.identities import backend
from scripts.bench.joins import JOIN, Parties
from scripts.bench.load import run_load_in_process
from scripts.bench.processes import Tree, spent
from scripts.bench.roomy import ROOMY
from scripts.bench.stores import make_stores
from services.local.keys import of as keys_of

STORE_IDS = [f"store-{number}" for number in range(100)]
MOST_JOINS_A_SECOND = 6000
PORT = 14_200
TARGETS = {
    service: f"127.0.0.1:{PORT + 2 + place}"
    for place, service in enumerate(("reception", "seat", "management", "dashboard", "notification"))
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one round. Rates per second, latencies (p50, p99) in ms, CPU in µs of all server processes."""

    empty_rate: float
    empty_cpu_us: float
    accepted_rate: float
    saga_rate: float
    answer_ms: tuple[float, float]
    saga_ms: tuple[float, float]
    cpu_us: float
    lost: int
    doubled: int
    memory_mb: dict[str, float]
    serving_after: float
    ready_after: float


@dataclass(frozen=True, slots=True)
class Running:
    """The system under test: its process, and what it said of its start."""

    pid: int
    serving_after: float
    ready_after: float


async def measure_round(data: Path, callers: int, seconds: float, root: Path = ROOT) -> Measured:
    """Measure the empty method and the joins at `callers` concurrent calls of the system in the folder `root`."""
    async with empty_method() as method:
        empty = await method.measure(callers, min(seconds, 3.0))
    async with _embedded(data, root) as running:
        keys = keys_of(data)
        await make_stores(TARGETS, keys, STORE_IDS)
        tree = Tree(running.pid)
        before = tree.cpu_seconds()
        joins = await run_load_in_process(
            TARGETS["reception"],
            JOIN,
            islice(Parties().grpc(STORE_IDS), round(seconds * MOST_JOINS_A_SECOND)),
            callers=callers,
            connections=min(callers, CONNECTIONS),
            calls=None,
            seconds=seconds,
            metadata=backend(keys),
        )
        rows, settled = await _settled(data, joins.ok)
        used = sum(spent(before, tree.cpu_seconds()).values())
        memory = tree.memory_mb()
    return Measured(
        empty_rate=empty.rate,
        empty_cpu_us=empty.cpu_us,
        accepted_rate=joins.rate,
        saga_rate=rows.complete / (joins.seconds + settled),
        answer_ms=(joins.latencies.p50, joins.latencies.p99),
        saga_ms=rows.saga_ms,
        cpu_us=used / max(1, joins.ok) * 1e6,
        lost=max(0, joins.ok - rows.complete),
        doubled=rows.doubled,
        memory_mb=memory,
        serving_after=running.serving_after,
        ready_after=running.ready_after,
    )


@asynccontextmanager
async def _embedded(data: Path, root: Path) -> AsyncIterator[Running]:
    ports = ("--port", str(PORT), "--kakao-port", str(PORT + 1), "--first-port", str(PORT + 2))
    command = (sys.executable, "-m", "services.embedded", "--no-demo", "--data", str(data), *ports)
    environment = {
        **os.environ,
        **ROOMY.environment,
        "TABLING_LOG_LEVEL": "WARNING",
        "PYTHONPATH": f"{root}:{root / 'gen'}",
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=root, stdout=subprocess.PIPE, env=environment, stdin=subprocess.DEVNULL
    )
    try:
        serving, ready = await _started(process)
        yield Running(process.pid, serving, ready)
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()


async def _started(process: asyncio.subprocess.Process) -> tuple[float, float]:
    assert process.stdout  # noqa: S101 - asked for above
    async with asyncio.timeout(60):
        async for line in process.stdout:
            if found := re.search(r"services ([\d.]+) s, all ([\d.]+) s", line.decode()):
                return float(found[1]), float(found[2])
    raise RuntimeError("the embedded system did not start; see its messages above")


@dataclass(frozen=True, slots=True)
class Rows:
    """What the databases hold: sagas that went all the way, ids that stand twice, join → notice (p50, p99) in ms."""

    complete: int
    doubled: int
    saga_ms: tuple[float, float]


async def _settled(data: Path, accepted: int, longest: float = 60.0) -> tuple[Rows, float]:
    """Wait until every accepted join has gone all the way; the rows, and how long that took after the last answer."""
    started = time.monotonic()
    while True:
        settled = time.monotonic() - started
        if _complete(data) >= accepted or settled > longest:
            return _rows(data), settled
        await asyncio.sleep(0.05)


def _complete(data: Path) -> int:
    return min(_count(data, service, statement) for service, statement in _COUNTS)


_COUNTS = (
    ("reception", "SELECT count(*) FROM receptions"),
    ("management", "SELECT count(*) FROM orders"),
    ("seat", "SELECT count(*) FROM seatings"),
    ("dashboard", "SELECT count(*) FROM receptions"),
    ("notification", "SELECT count(DISTINCT reception_id) FROM notices WHERE state IN ('SENT', 'DELIVERED')"),
)


def _count(data: Path, service: str, statement: str) -> int:
    with closing(sqlite3.connect(f"file:{data / service}.db?mode=ro", uri=True)) as connection:
        return int(connection.execute(statement).fetchone()[0])


def _rows(data: Path) -> Rows:
    with closing(sqlite3.connect(f"file:{data / 'notification'}.db?mode=ro", uri=True)) as connection:
        connection.execute("ATTACH DATABASE ? AS r", (f"file:{data / 'reception'}.db?mode=ro",))
        doubled = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM notices GROUP BY reception_id, purpose, round HAVING count(*) > 1)"
        ).fetchone()[0]
        pairs = connection.execute(
            "SELECT x.created_at, min(n.updated_at) FROM notices n JOIN r.receptions x ON x.id = n.reception_id"
            " WHERE n.state IN ('SENT', 'DELIVERED') GROUP BY n.reception_id"
        ).fetchall()
    took = sorted((datetime.fromisoformat(b) - datetime.fromisoformat(a)).total_seconds() * 1e3 for a, b in pairs)
    p50, p99 = (took[round((len(took) - 1) * part)] if took else 0.0 for part in (0.5, 0.99))
    return Rows(_complete(data), doubled, (p50, p99))
