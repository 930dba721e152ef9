"""One run: joins of one kind against the running system, until every saga is complete and counted."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from scripts.bench.bulk import BulkPlan, run_bulk_in_process
from scripts.bench.full.rows import Faults, Ledgers
from scripts.bench.full.system import System
from scripts.bench.identities import backend, backend_outside
from scripts.bench.joins import JOIN, JOIN_PATH, Parties
from scripts.bench.load import LoadResult, run_load_in_process
from scripts.bench.processes import spent

HOT = "hot"
SPREAD = tuple(f"store-{number}" for number in range(200))
CONNECTIONS = 4
STREAMS, WINDOW = 4, 2
MOST_IN_A_MESSAGE = 100
MOST_CALLS_A_SECOND = 6_000
MOST_BULK_JOINS_A_SECOND = 15_000


@dataclass(frozen=True, slots=True)
class Case:
    """How joins come: `way` is unary, json or stream; `callers` is how many joins are under way at once."""

    way: str
    callers: int
    is_hot: bool

    @property
    def stores(self) -> Sequence[str]:
        """The stores that are joined."""
        return (HOT,) if self.is_hot else SPREAD


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it. `cpu_us`: per saga, by process; latencies in ms, those of a stream are of messages."""

    accepted: int
    accepted_rate: float
    saga_rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: Mapping[str, float]
    lost: int
    doubled: int
    out_of_order: int
    refused: Mapping[str, int]

    @property
    def total_cpu_us(self) -> float:
        """Of all processes but the load generator."""
        return sum(self.cpu_us.values())


async def measure(system: System, ledgers: Ledgers, parties: Parties, case: Case, seconds: float) -> Figures:
    """Join for `seconds` and wait until everything is drained."""
    before, since, cpu = await ledgers.counts(), datetime.now(UTC), system.tree.cpu_seconds()
    load = await LOADS[case.way](system, parties, case, seconds)
    drained_at = await ledgers.drained(before, load.ok, since)
    used = spent(cpu, system.tree.cpu_seconds())
    counts = (await ledgers.counts()).since(before)
    faults = await ledgers.faults(since, HOT if case.is_hot else None)
    return Figures(
        accepted=load.ok,
        accepted_rate=load.rate,
        saga_rate=counts.complete / (drained_at - load.started_at),
        p50_ms=load.latencies.p50,
        p99_ms=load.latencies.p99,
        cpu_us={name: seconds / max(1, load.ok) * 1e6 for name, seconds in used.items()},
        lost=max(0, load.ok - counts.complete),
        doubled=_doubled(load, counts.by_service, faults),
        out_of_order=faults.out_of_order,
        refused={status: count for status, count in load.by_status.items() if status != "OK"},
    )


def _doubled(load: LoadResult, counts: Mapping[str, int], faults: Faults) -> int:
    # a call that was not answered OK may have been done
    more = max(counts.values()) - load.calls
    return max(0, more) + faults.twice_in_line + faults.twice_told


async def _unary(system: System, parties: Parties, case: Case, seconds: float) -> LoadResult:
    return await run_load_in_process(
        system.targets["reception"],
        JOIN,
        islice(parties.grpc(case.stores), _most(case, seconds)),
        callers=case.callers,
        connections=min(case.callers, CONNECTIONS),
        calls=None,
        seconds=seconds,
        metadata=backend(system.keys),
    )


async def _json(system: System, parties: Parties, case: Case, seconds: float) -> LoadResult:
    return await run_load_in_process(
        system.gateway,
        JOIN_PATH,
        islice(parties.json(case.stores), _most(case, seconds)),
        callers=case.callers,
        connections=min(case.callers, CONNECTIONS),
        calls=None,
        seconds=seconds,
        metadata=backend_outside(system.keys),
        wire="json",
        authority=str(system.authority),
    )


async def _stream(system: System, parties: Parties, case: Case, seconds: float) -> LoadResult:
    streams = min(case.callers, STREAMS)
    size = min(max(1, case.callers // (streams * WINDOW)), MOST_IN_A_MESSAGE)
    window = max(1, case.callers // (streams * size))
    messages = parties.messages(case.stores, size)
    return await run_bulk_in_process(
        BulkPlan(system.targets["reception"], streams, window, seconds, backend(system.keys)),
        islice(messages, round(seconds * MOST_BULK_JOINS_A_SECOND / size)),
    )


def _most(case: Case, seconds: float) -> int:
    return round(seconds * (MOST_CALLS_A_SECOND if case.callers > 1 else MOST_CALLS_A_SECOND / 4))


Load = Callable[[System, Parties, Case, float], Awaitable[LoadResult]]
LOADS: Mapping[str, Load] = {"unary": _unary, "json": _json, "stream": _stream}
