"""Pods as real processes, and a kubelet that looks after them: the life that the Kubernetes files promise."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.local.child import LAUNCH
from tests.drills.manifest import Lifecycle, Probe
from tests.drills.probing import until_failed
from tests.e2e.system import ROOT

FIRST_BACK_OFF_SECONDS = 10.0
"""A container that ends is begun again at once; the second time it has to wait, and longer each time."""

SHORTEST_KILL_SECONDS = 2.0
"""A process has at least this long after SIGTERM, however long its preStop took."""


@dataclass(frozen=True)
class Container:
    """What runs in a pod: `python` with these arguments."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass
class Restart:
    """Why a container was begun again, when that was decided, and when the next one began; by the monotonic clock."""

    why: str
    decided: float
    began: float | None = None


@dataclass(eq=False)
class Pod:
    """One pod over the lives of its container. `changed` is called whenever `ready` is another than before.

    `told_live` and `told_ready` are the results of the probes, `unready_at` is when it last was no more ready.
    """

    name: str
    host: str
    port: int
    container: Container
    life: Lifecycle
    changed: Callable[[], None]
    ready: bool = False
    started: bool = False
    restarts: list[Restart] = field(default_factory=list)
    told_live: list[bool] = field(default_factory=list)
    told_ready: list[bool] = field(default_factory=list)
    unready_at: float | None = None
    process: asyncio.subprocess.Process | None = None
    _deleted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        """Where others find it."""
        return f"{self.host}:{self.port}"

    @property
    def deleted(self) -> bool:
        """Whether it is going, or gone."""
        return self._deleted.is_set()

    def delete(self) -> None:
        """Nobody is sent to it any more; meanwhile it ends as its life cycle says, and `serve` returns."""
        self._deleted.set()
        self.changed()

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(number)

    async def serve(self) -> None:
        """The kubelet's work: returns once the pod was deleted and is gone."""
        deleted = asyncio.create_task(self._deleted.wait())
        try:
            while not self.deleted:
                await self._live_once(deleted)
        finally:
            deleted.cancel()
            self.signal(signal.SIGKILL)
            if self.process:
                await self.process.wait()

    async def _live_once(self, deleted: "asyncio.Task[bool]") -> None:
        self.process = await self._spawn(self.container.arguments)
        if self.restarts:
            self.restarts[-1].began = time.monotonic()
        failed = await self._until_it_ends_or_must(deleted)
        if self.deleted:
            await self._end(self.life.grace)
            return
        why = f"{failed[0]} failed" if failed else f"ended with code {self.process.returncode}"
        self.restarts.append(Restart(why, time.monotonic()))
        self._tell_ready(False)
        self.started = False
        if failed:
            await self._end(failed[1].grace or self.life.grace)
        await self._first_of(deleted, asyncio.create_task(asyncio.sleep(self._back_off())))

    async def _until_it_ends_or_must(self, deleted: "asyncio.Task[bool]") -> tuple[str, Probe] | None:
        """The probe that failed, if one did."""
        assert self.process is not None
        ended = asyncio.create_task(self.process.wait())
        probing = asyncio.create_task(self._probe())
        try:
            await asyncio.wait((ended, probing, deleted), return_when=asyncio.FIRST_COMPLETED)
            return probing.result() if probing.done() else None
        finally:
            ended.cancel()
            await _canceled(probing)

    async def _probe(self) -> tuple[str, Probe]:
        """Which probe has failed for so often that the container has to be begun again."""
        life, where = self.life, (self.host, self.port)
        if not await until_failed(life.startup, *where, lambda _: None, until_success=True):
            return "startup", life.startup
        self.started = True
        readiness = asyncio.create_task(self._keep_asking_whether_ready())
        try:
            await until_failed(life.liveness, *where, self.told_live.append)
        finally:
            await _canceled(readiness)
        return "liveness", life.liveness

    async def _keep_asking_whether_ready(self) -> None:
        while True:
            await until_failed(self.life.readiness, self.host, self.port, self._hear_readiness)
            self._tell_ready(False)

    def _hear_readiness(self, well: bool) -> None:
        self.told_ready.append(well)
        if well:
            self._tell_ready(True)

    def _tell_ready(self, ready: bool) -> None:
        if ready is not self.ready:
            self.ready = ready
            self.unready_at = self.unready_at if ready else time.monotonic()
            self.changed()

    async def _end(self, grace: float) -> None:
        """preStop, SIGTERM, and SIGKILL when the grace is over."""
        assert self.process is not None
        limit = time.monotonic() + grace
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._pre_stop()
        self.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(limit - time.monotonic(), SHORTEST_KILL_SECONDS)):
                await self.process.wait()
        self.signal(signal.SIGKILL)
        await self.process.wait()

    async def _pre_stop(self) -> None:
        if isinstance(self.life.pre_stop, float):
            await asyncio.sleep(self.life.pre_stop)
            return
        program, *arguments = self.life.pre_stop
        assert program == "python"
        await (await self._spawn(arguments)).wait()

    def _back_off(self) -> float:
        times = len(self.restarts)
        return 0.0 if times < 2 else FIRST_BACK_OFF_SECONDS * 2.0 ** (times - 2)

    async def _first_of(self, deleted: "asyncio.Task[bool]", work: "asyncio.Task[None]") -> None:
        try:
            await asyncio.wait((deleted, work), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _canceled(work)

    async def _spawn(self, arguments: Sequence[str]) -> asyncio.subprocess.Process:
        with self.container.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid()), sys.executable, *arguments),
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **self.container.environment},
            )  # fmt: skip


async def _canceled(task: "asyncio.Task[Any]") -> None:
    """Return once it has ended."""
    task.cancel()
    await asyncio.wait((task,))
