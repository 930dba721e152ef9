"""What joining, asking for a place and watching cost where few wait, and where a hundred thousand do."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from typing import Any, TypeVar

import grpc
import grpc.aio

from scripts.bench.bulk import BulkPlan, run_bulk_in_process
from scripts.bench.empty import METHOD
from scripts.bench.full.rounds import STREAMS, WINDOW
from scripts.bench.full.rows import Ledgers
from scripts.bench.full.system import System
from scripts.bench.identities import backend
from scripts.bench.joins import Parties
from services.chassis.callers import PASS
from services.local.calling import telling
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest, GetPlaceRequest, WatchReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub

FEW = "few"
FEW_WAITING = 100
SIZE = 100
FILL_SECONDS = 120.0
TIMES = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Costs:
    """Median ms of joining, asking for a place and opening a watch, by store, and of an empty call; one at a time."""

    waiting: int
    ms: Mapping[str, Mapping[str, float]]
    empty_ms: float


class Stopwatch:
    """How long calls take."""

    def __init__(self) -> None:
        self._ms: dict[str, list[float]] = {}

    async def time(self, what: str, call: Awaitable[T]) -> T:
        """What the call gives."""
        started = time.perf_counter()
        answer = await call
        self._ms.setdefault(what, []).append((time.perf_counter() - started) * 1e3)
        return answer

    def medians(self) -> dict[str, float]:
        """In ms, by what was timed."""
        return {what: median(ms) for what, ms in self._ms.items()}


async def fill(system: System, ledgers: Ledgers, parties: Parties, stores: Sequence[str], wanted: int) -> None:
    """Join until `wanted` parties wait in all lines, and all sagas are complete."""
    missing = wanted - await ledgers.waiting()
    if missing <= 0:
        return
    before, since = await ledgers.counts(), datetime.now(UTC)
    plan = BulkPlan(system.targets["reception"], STREAMS, WINDOW, FILL_SECONDS, backend(system.keys))
    load = await run_bulk_in_process(plan, islice(parties.messages(stores, SIZE), -(-missing // SIZE)))
    await ledgers.drained(before, load.ok, since)


async def measure_costs(system: System, ledgers: Ledgers, parties: Parties, stores: Sequence[str], empty: str) -> Costs:
    """Measure in each of the stores, taking turns; `empty` is where the empty method is."""
    waiting, none = await ledgers.waiting(), Stopwatch()
    watches = {store: Stopwatch() for store in stores}
    async with (
        grpc.aio.insecure_channel(system.targets["reception"]) as channel,
        grpc.aio.insecure_channel(empty) as other,
    ):
        stub: Any = ReceptionServiceStub(telling(channel, backend(system.keys)))
        call: Any = other.unary_unary(METHOD)
        for _ in range(TIMES):
            await none.time("empty", call(b""))
            for store, watch in watches.items():
                await _once(stub, next(parties.grpc((store,))), watch)
    return Costs(waiting, {store: watch.medians() for store, watch in watches.items()}, none.medians()["empty"])


async def _once(stub: Any, body: bytes, watch: Stopwatch) -> None:
    joined = await watch.time("joining", stub.CreateReception(CreateReceptionRequest.FromString(body)))
    own = ((PASS, joined.reception_pass),)
    await watch.time("place in line", stub.GetPlace(GetPlaceRequest(name=f"{joined.name}/place"), metadata=own))
    watched = stub.WatchReception(WatchReceptionRequest(name=joined.name), metadata=own)
    await watch.time("opening a watch", watched.read())
    watched.cancel()
