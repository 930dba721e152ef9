"""A cold start: from beginning a process to SERVING, for each service on its own."""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.table import Table

from scripts.bench.child import ROOT
from services.chassis.addresses import free_port
from services.chassis.migrate import migrate
from services.chassis.settings import PORTS
from services.local.keys import of as keys_of

TIMES = 5
START_SECONDS = 30.0
LOOK_SECONDS = 0.002
AIM_SECONDS = 1.0
QUIET = {"TABLING_LOG_LEVEL": "WARNING", "TABLING_BUS": "memory"}

YARDSTICKS = {"python": "pass", "import grpc": "import grpc"}
"""What the same interpreter takes to do nothing, and to load what no service can do without."""


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """Seconds of each start, by service and by yardstick."""

    seconds: Mapping[str, list[float]] = field(default_factory=lambda: {name: [] for name in (*YARDSTICKS, *PORTS)})

    def median(self, name: str) -> float:
        """The middle one."""
        return statistics.median(self.seconds[name])

    def table(self) -> Table:
        """Medians, and how they compare with loading gRPC and nothing else."""
        title = f"Cold start to SERVING, SQLite and memory bus, medians of {len(self.seconds['python'])}"
        table = Table(title=title, title_justify="left")
        for name in ("process", "seconds", "÷ import grpc", f"≤ {AIM_SECONDS:.1f} s"):
            table.add_column(name, justify="left" if name == "process" else "right")
        for name in filter(self.seconds.get, self.seconds):
            median, grpc_alone = self.median(name), self.median("import grpc")
            aim = "" if name in YARDSTICKS else "reached" if median <= AIM_SECONDS else "missed"
            table.add_row(name, f"{median:.2f}", f"{median / grpc_alone:.1f}", aim)
        return table


async def measure_cold_starts(folder: Path, times: int = TIMES, services: Sequence[str] = tuple(PORTS)) -> ColdStarts:
    """Start every service some times, one after the other, on databases that are there; `folder` is empty."""
    found, environment = ColdStarts(), keys_of(folder).environment
    for service in services:
        await asyncio.to_thread(migrate, service, str(folder / f"{service}.db"))
        await _start(service, folder, environment)  # which also leaves byte code
    for _ in range(times):
        for name, code in YARDSTICKS.items():
            found.seconds[name].append(await _run(code))
        for service in services:
            found.seconds[service].append(await _start(service, folder, environment))
    return found


async def _run(code: str) -> float:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT, stdin=subprocess.DEVNULL)
    await process.wait()
    return time.monotonic() - began


async def _start(service: str, data: Path, keys: Mapping[str, str]) -> float:
    """Seconds until the service says SERVING to whoever asks after its health; then it is ended."""
    port = free_port()
    own = {"TABLING_DATA": str(data), "TABLING_LISTEN": f"127.0.0.1:{port}", "TABLING_METRICS_LISTEN": "", **QUIET}
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{service}"),
        cwd=ROOT,
        env={**os.environ, **own, **keys},
        stdin=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            await _serving(port)
        return time.monotonic() - began
    finally:
        process.terminate()
        await process.wait()


async def _serving(port: int) -> None:
    # gRPC itself would wait for a second before it tries again to connect
    while not _listens(port):  # noqa: ASYNC110 - it is another process
        await asyncio.sleep(LOOK_SECONDS)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        told = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        async for answer in told:
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
