"""Callers that keep a server busy over a few connections: closed loop, or at a given rate."""

import asyncio
import ssl
from array import array
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter, time

from scripts.bench.http2 import Connection
from scripts.bench.wire import WIRES, request_block

RECONNECT_SECONDS = 10.0  # A server that stays away this long ends the run.
SWEEP_SECONDS = 0.25
TICK_SECONDS = 0.001
TIMER_SECONDS = 0.002  # A call that starts this late or less is late by the timer, not by the server.
# Waking up costs more than reading, so answers gather for a small part of a call's usual time, if several will come.
GATHER_PART, GATHER_LEAST, GATHER_MOST = 1 / 16, 0.0005, 0.010
GATHER_CALLS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What to call and how hard; see `scripts.bench.load.run_load` for the meaning of each."""

    target: str
    method: str
    callers: int
    connections: int
    calls: int | None
    seconds: float | None
    rate: float | None
    timeout: float
    metadata: tuple[tuple[str, str], ...]
    wire: str
    authority: str | None

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= self.callers:
            raise ValueError(f"{self.connections} connections for {self.callers} callers: one caller each at least")
        if self.rate is not None and self.rate <= 0:
            raise ValueError(f"a rate of {self.rate} calls a second is none")
        if not self.method.startswith("/"):
            raise ValueError(f"{self.method} is not a method: write /package.Service/Method")


class Callers:
    """One run: hands out calls, keeps connections up, counts answers."""

    def __init__(self, plan: Plan, bodies: Iterator[bytes], on_answer: Callable[[int, bytes], None] | None) -> None:
        self.by_status: Counter[int] = Counter()
        self.latencies = array("d")  # Seconds, of the calls that were answered OK.
        self.started = self.ended = 0.0
        self.started_at = 0.0  # Seconds since 1970.
        self._plan, self._bodies, self._on_answer = plan, bodies, on_answer
        self._issued = self._under_way = 0
        self._all_issued = plan.calls == 0
        self._ends = float("inf")
        self._done = asyncio.Event()
        self._live: set[Connection] = set()
        self._paused: list[Connection] = []
        self._usual_seconds = 0.0
        host, _, port = plan.target.rpartition(":")
        self._address = (host.strip("[]"), int(port))
        self._trusting = _trusting(plan.authority) if plan.authority else None
        self._wire = WIRES[plan.wire]
        self._block = request_block(plan.target, plan.method, self._wire, plan.metadata)

    async def run(self) -> None:
        share, more = divmod(self._plan.callers, self._plan.connections)
        slots = [share + (number < more) for number in range(self._plan.connections)]
        first = await asyncio.gather(*[self._connect(count) for count in slots])
        self._begin()
        chores = [self._sweep(), self._pace()]
        chores += [self._keep_up(*each) for each in zip(first, slots, strict=True)]
        try:
            await self._until_done(chores)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        for connection in list(self._live):
            connection.close()
            await connection.gone

    async def _until_done(self, chores: Iterable[Coroutine[None, None, None]]) -> None:
        async with asyncio.TaskGroup() as tasks:
            under_way = [tasks.create_task(chore) for chore in chores]
            await self._done.wait()
            for chore in under_way:
                chore.cancel()

    def _begin(self) -> None:
        self.started = self.ended = perf_counter()
        self.started_at = time()
        if self._plan.seconds is not None:
            self._ends = self.started + self._plan.seconds
        for connection in list(self._live):
            connection.fill()
        self._finish_if_over()

    # What the connections ask and tell.

    def _take(self) -> tuple[float, bytes] | None:
        if self._all_issued or not self.started:
            return None
        now = perf_counter()
        due = now if self._plan.rate is None else self.started + self._issued / self._plan.rate
        if due >= self._ends or now >= self._ends:
            self._all_issued = True
            return None
        if due > now:
            return None
        if now - due < TIMER_SECONDS:
            due = now
        body = next(self._bodies, None)
        if body is None:
            self._all_issued = True
            return None
        self._issued += 1
        self._under_way += 1
        self._all_issued = self._issued == self._plan.calls
        return due, body

    def _answered(self, started: float, status: int, message: bytes) -> None:
        self.ended = perf_counter()
        self._under_way -= 1
        self.by_status[status] += 1
        if status == 0:
            took = self.ended - started
            self.latencies.append(took)
            self._usual_seconds += (took - self._usual_seconds) / 64
        if self._on_answer is not None:
            self._on_answer(status, message)
        self._finish_if_over()

    def _read(self, connection: Connection) -> None:
        pause = min(self._usual_seconds * GATHER_PART, GATHER_MOST)
        if pause < GATHER_LEAST or len(connection.calls) * pause < GATHER_CALLS * self._usual_seconds:
            return
        connection.pause()
        if not self._paused:
            asyncio.get_running_loop().call_later(pause, self._resume)
        self._paused.append(connection)

    def _resume(self) -> None:
        for connection in self._paused:
            connection.resume()
        self._paused.clear()

    def _finish_if_over(self) -> None:
        if self._all_issued and not self._under_way:
            self._done.set()

    # Chores.

    async def _connect(self, slots: int) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self._wire, self._block, slots, self._take, self._answered, self._read),
            *self._address,
            ssl=self._trusting,
        )
        try:
            async with asyncio.timeout(RECONNECT_SECONDS):
                await connection.ready
        except BaseException:
            connection.close()
            raise
        self._live.add(connection)
        return connection

    async def _keep_up(self, connection: Connection, slots: int) -> None:
        while True:
            await asyncio.shield(connection.gone)
            self._live.discard(connection)
            connection = await self._reconnect(slots)
            connection.fill()

    async def _reconnect(self, slots: int) -> Connection:
        pause, give_up = 0.02, perf_counter() + RECONNECT_SECONDS
        while True:
            try:
                return await self._connect(slots)
            except OSError:
                if perf_counter() > give_up:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.5)

    async def _sweep(self) -> None:
        """Gives up calls that were never answered, and starts what a connection had no reason to start itself."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if perf_counter() >= self._ends:
                self._all_issued = True
            for connection in list(self._live):
                connection.expire(perf_counter() - self._plan.timeout)
            self._finish_if_over()

    async def _pace(self) -> None:
        """At a given rate: wakes the connections when calls fall due."""
        while self._plan.rate is not None and not self._all_issued:
            await asyncio.sleep(TICK_SECONDS)
            for connection in list(self._live):
                connection.fill()


def _trusting(authority: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2"])
    return context
