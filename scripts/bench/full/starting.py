"""From starting a process to the first durable join; and what processes take when nobody calls."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from scripts.bench.child import ROOT
from scripts.bench.full.rounds import SPREAD
from scripts.bench.full.rows import Ledgers
from scripts.bench.full.system import QUIET, System
from scripts.bench.identities import backend
from scripts.bench.joins import Parties
from scripts.bench.processes import spent
from services.chassis.addresses import free_port
from services.local.calling import telling
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub

START_SECONDS = 30.0
LOOK_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from starting one more reception until it listens, and until it answers a durable join."""

    waiting: int
    listening: float
    joined: float


async def measure_start(system: System, ledgers: Ledgers, parties: Parties) -> Start:
    """Start one more replica of reception, join there, and end it."""
    port = free_port()
    own = {"TABLING_RECEPTION_LISTEN": f"127.0.0.1:{port}", "TABLING_RECEPTION_METRICS_LISTEN": ""} | QUIET
    request = CreateReceptionRequest.FromString(next(parties.grpc(SPREAD)))
    waiting, began = await ledgers.waiting(), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.reception"),
        cwd=ROOT,
        env={**os.environ, **system.environment, **own},
        stdin=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            await _until_it_listens(port)
            listening = time.monotonic() - began
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub: Any = ReceptionServiceStub(telling(channel, backend(system.keys)))
                await stub.CreateReception(request, wait_for_ready=True)
        return Start(waiting, listening, time.monotonic() - began)
    finally:
        process.terminate()
        await process.wait()


async def measure_idle(system: System, seconds: float) -> Mapping[str, float]:
    """The part of a core that each process takes when nobody calls, in percent."""
    before, began = system.tree.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    return {name: used / took * 100 for name, used in spent(before, system.tree.cpu_seconds()).items()}


async def _until_it_listens(port: int) -> None:
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        await asyncio.sleep(LOOK_SECONDS)
