"""The empty method under load: what all figures are compared with."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scripts.bench.child import ROOT
from scripts.bench.empty import METHOD
from scripts.bench.load import run_load_in_process
from scripts.bench.processes import cpu_seconds

CONNECTIONS = 4
MOST_CALLS_A_SECOND = 20_000


@dataclass(frozen=True, slots=True)
class Empty:
    """What it did: calls a second, CPU of its process in µs a call."""

    rate: float
    cpu_us: float


class EmptyMethod:
    """The running process."""

    def __init__(self, pid: int, port: int) -> None:
        self._pid = pid
        self.target = f"127.0.0.1:{port}"

    async def measure(self, callers: int, seconds: float) -> Empty:
        """Call it from `callers` at once."""
        before = cpu_seconds(self._pid)
        result = await run_load_in_process(
            self.target,
            METHOD,
            (b"" for _ in range(round(seconds * MOST_CALLS_A_SECOND))),
            callers=callers,
            connections=min(callers, CONNECTIONS),
            calls=None,
            seconds=seconds,
        )
        used = cpu_seconds(self._pid) - before
        return Empty(result.rate, used / result.calls * 1e6)


@asynccontextmanager
async def empty_method() -> AsyncIterator[EmptyMethod]:
    """A process with the empty method."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.bench.empty", cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout  # noqa: S101 - asked for above
    try:
        yield EmptyMethod(process.pid, int(await process.stdout.readline()))
    finally:
        process.terminate()
        await process.wait()
