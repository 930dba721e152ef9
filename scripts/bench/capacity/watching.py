"""What people cost who watch their place in line: memory of an open stream, CPU of an update."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from scripts.bench.full.system import System
from scripts.bench.identities import backend
from scripts.bench.processes import spent
from services.chassis.callers import PASS, Identity
from services.local.calling import telling
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import (
    CancelReceptionRequest,
    CreateReceptionRequest,
    WatchReceptionRequest,
)
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub

STREAMS_A_CHANNEL = 90
QUIET_SECONDS = 0.5
LONGEST_SECONDS = 20.0
SERVICE = "reception"


@dataclass(frozen=True, slots=True)
class Watching:
    """`stream_kb`: memory of reception per open watch; `update_us`: its CPU per update that reached a watcher."""

    streams: int
    updates: int
    stream_kb: float
    update_us: float


class Audience:
    """Everybody who watches; counts what they are told."""

    def __init__(self) -> None:
        self.told = 0
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, stream: Any) -> None:
        self._tasks.append(asyncio.create_task(self._listen(stream)))

    async def quiet(self) -> None:
        """Return once nobody has been told anything for a moment."""
        async with asyncio.timeout(LONGEST_SECONDS):
            before = -1
            while before != self.told:
                before = self.told
                await asyncio.sleep(QUIET_SECONDS)

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, stream: Any) -> None:
        try:
            async for answer in stream:
                self.told += not answer.heartbeat
        except grpc.aio.AioRpcError:
            return


async def measure_watching(system: System, store: str, phones: Iterator[str], streams: int, leavers: int) -> Watching:
    """Let `streams` parties wait in one line and watch, then let the first `leavers` leave, one after the other."""
    target = system.targets[SERVICE]
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = ReceptionServiceStub(telling(channel, backend(system.keys)))
        parties = [await stub.CreateReception(_join(store, next(phones))) for _ in range(streams + leavers)]
        before = system.tree.memory_mb()[SERVICE]
        audience = Audience()
        options = (("grpc.use_local_subchannel_pool", 1),)
        channels = [grpc.aio.insecure_channel(target, options) for _ in range(-(-streams // STREAMS_A_CHANNEL))]
        try:
            for number, party in enumerate(parties[leavers:]):
                watcher: Any = ReceptionServiceStub(telling(channels[number % len(channels)], backend(system.keys)))
                audience.add(watcher.WatchReception(WatchReceptionRequest(name=party.name), metadata=_pass(party)))
            await audience.quiet()
            memory, told, cpu = system.tree.memory_mb()[SERVICE], audience.told, system.tree.cpu_seconds()
            for party in parties[:leavers]:
                await stub.CancelReception(CancelReceptionRequest(name=party.name), metadata=_pass(party))
                await audience.quiet()
            used = spent(cpu, system.tree.cpu_seconds())[SERVICE]
        finally:
            await audience.leave()
            await asyncio.gather(*(each.close() for each in channels))
    updates = audience.told - told
    return Watching(streams, updates, (memory - before) * 1024 / streams, used / max(1, updates) * 1e6)


def _pass(party: Reception) -> Identity:
    return ((PASS, party.reception_pass),)


def _join(store: str, phone: str) -> CreateReceptionRequest:
    # larger than any table: nobody is called
    party = Reception(party_size=5, phone=phone)
    return CreateReceptionRequest(parent=f"stores/{store}", reception=party, request_id=str(uuid.uuid4()))
