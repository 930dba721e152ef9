"""One round of the benchmark: the empty method, then joins against a fresh system, counted in its databases."""

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from google.protobuf.empty_pb2 import Empty

from scripts.bench.empty import METHOD as EMPTY
from scripts.bench.load import LoadResult, run_load_in_process
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tabling.seat.v1.seat_service_pb2 import BatchCreateTablesRequest, CreateTableRequest
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub
from tabling.seat.v1.table_pb2 import Table

ROOT = Path(__file__).resolve().parents[2]
JOIN = "/tabling.reception.v1.ReceptionService/CreateReception"
STORES = 100
MOST_JOINS_A_SECOND = 6000
PORT = 14_200
CONNECTIONS = 4


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
    """The system under test: its processes by name, and what it said of its start."""

    processes: dict[str, int]
    serving_after: float
    ready_after: float


async def measure_round(data: Path, callers: int, seconds: float) -> Measured:
    """Measure the empty method and the joins at `callers` concurrent calls."""
    empty, empty_cpu = await _empty(callers, min(seconds, 3.0))
    async with _embedded(data) as running:
        await _make_stores()
        before = _cpu_seconds(running.processes)
        joins = await run_load_in_process(
            f"127.0.0.1:{PORT + 2}",
            JOIN,
            _joins(round(seconds * MOST_JOINS_A_SECOND)),
            callers=callers,
            connections=min(callers, CONNECTIONS),
            calls=None,
            seconds=seconds,
        )
        rows, settled = await _settled(data, joins.ok)
        used = _cpu_seconds(running.processes) - before
        memory = {name: _memory_mb(pid) for name, pid in running.processes.items()}
    return Measured(
        empty_rate=empty.rate,
        empty_cpu_us=empty_cpu / empty.calls * 1e6,
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


async def _empty(callers: int, seconds: float) -> tuple[LoadResult, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.bench.empty", cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout  # noqa: S101 - asked for above
    try:
        port = int(await process.stdout.readline())
        body = Empty().SerializeToString()
        result = await run_load_in_process(
            f"127.0.0.1:{port}",
            EMPTY,
            (body for _ in range(round(seconds * 20_000))),
            callers=callers,
            connections=min(callers, CONNECTIONS),
            calls=None,
            seconds=seconds,
        )
        return result, _cpu_seconds({"empty": process.pid})
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _embedded(data: Path) -> AsyncIterator[Running]:
    ports = ("--port", str(PORT), "--kakao-port", str(PORT + 1), "--first-port", str(PORT + 2))
    command = (sys.executable, "-m", "services.embedded", "--no-demo", "--data", str(data), *ports)
    environment = {**os.environ, "TABLING_LOG_LEVEL": "WARNING"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=subprocess.PIPE, env=environment, stdin=subprocess.DEVNULL
    )
    try:
        serving, ready = await _started(process)
        children = {_name(pid): pid for pid in _children(process.pid)}
        yield Running({"services": process.pid, **children}, serving, ready)
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


async def _make_stores() -> None:
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{PORT + 4}") as management,
        grpc.aio.insecure_channel(f"127.0.0.1:{PORT + 3}") as seat,
        grpc.aio.insecure_channel(f"127.0.0.1:{PORT + 2}") as reception,
    ):
        for number in range(STORES):
            store = Store(display_name=f"Store {number}", max_waiting=100_000)
            await ManagementServiceStub(management).CreateStore(
                CreateStoreRequest(store=store, store_id=f"store-{number}")
            )
            await ManagementServiceStub(management).OpenStore(OpenStoreRequest(name=f"stores/store-{number}"))
        for number in range(STORES):
            tables = [CreateTableRequest(table=Table(capacity=capacity)) for capacity in (2, 2, 4, 4)]
            request = BatchCreateTablesRequest(parent=f"stores/store-{number}", requests=tables)
            await SeatServiceStub(seat).BatchCreateTables(request, wait_for_ready=True)
        probe = CreateReceptionRequest(parent=f"stores/store-{STORES - 1}", reception=Reception(party_size=99))
        for _ in range(500):
            try:
                await ReceptionServiceStub(reception).CreateReception(probe)
            except grpc.aio.AioRpcError as error:
                # refused for its size means that the last store and its opening have arrived
                if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                    return
            await asyncio.sleep(0.02)
    raise RuntimeError("the stores did not become known to reception")


def _joins(count: int) -> Iterator[bytes]:
    for number in range(count):
        reception = Reception(party_size=1 + number % 4, phone=_phone(number))
        yield CreateReceptionRequest(
            parent=f"stores/store-{number % STORES}", reception=reception, request_id=str(uuid.uuid4())
        ).SerializeToString()


def _phone(number: int) -> str:
    """A number of nobody's; its last digits are none at which the stand-in for KakaoTalk plays a trick."""
    return f"+8210{2000 + number // 4000}{5000 + number % 4000}"


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


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _name(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return "envoy" if "envoy" in command[0] else command[2].rpartition(".")[2]


def _cpu_seconds(processes: dict[str, int]) -> float:
    ticks = 0
    for pid in processes.values():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
