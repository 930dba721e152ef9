"""A load generator for unary methods: counts what came of each call, how long it took and what it cost.

python -m scripts.bench.load reads a run from stdin and answers on stdout; `run_load_in_process` speaks to it.
"""

import gc
import itertools
import json
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from scripts.bench.answers import status_name
from scripts.bench.callers import Callers, Plan
from scripts.bench.child import run_child

OnAnswer = Callable[[int, bytes], None]
_size = struct.Struct(">I")
_answer_head = struct.Struct(">II")  # Status, size of the message.


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds, of the calls answered OK; at a given rate from when a call was due, not from when it went out."""

    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came of a run."""

    calls: int
    ok: int
    by_status: dict[str, int]
    started_at: float  # Seconds since 1970.
    seconds: float  # From the first call to the last answer.
    rate: float  # Calls answered OK a second.
    latencies: Latencies
    cpu_seconds: float  # Of the whole process that made the calls.

    @property
    def cpu_us_per_call(self) -> float:
        return self.cpu_seconds / self.calls * 1e6 if self.calls else 0.0


async def run_load(
    target: str,
    method: str,
    bodies: Iterable[bytes],
    *,
    callers: int,
    connections: int,
    calls: int | None,
    seconds: float | None,
    rate: float | None = None,
    on_answer: OnAnswer | None = None,
    metadata: Sequence[tuple[str, str]] = (),
    timeout: float = 30.0,  # noqa: ASYNC109 - the time one call has, not this function
    wire: str = "grpc",
    authority: str | None = None,
) -> LoadResult:
    """Calls `method` (`/package.Service/Method`) at `target` (`host:port`) and waits for every answer.

    wire       `grpc`, or `json`: POST to the path `method` of a gateway
    authority  file with the certificate of who vouches for a server that speaks TLS
    bodies     serialized requests, one per call, taken when the call starts; the run ends when there are no more
    callers    calls under way at most, spread over `connections`
    calls      how many at most; None for no such limit
    seconds    how long calls are started; None for no such limit
    rate       calls a second (open loop); None: each caller calls again as soon as it is answered (closed loop)
    on_answer  told the grpc-status and the serialized answer of each call, empty unless the status is 0
    metadata   sent with each call
    timeout    seconds until a call is given up and counted as DEADLINE_EXCEEDED

    A connection that breaks or is told to go away is replaced. Calls it did not answer count as UNAVAILABLE: nothing
    is tried twice. Raises OSError when the server cannot be reached at the start, or stays away for 10 seconds.
    """
    plan = Plan(target, method, callers, connections, calls, seconds, rate, timeout, tuple(metadata), wire, authority)
    run = Callers(plan, iter(bodies), on_answer)
    cpu = time.process_time()
    await run.run()
    return _result(run, time.process_time() - cpu)


async def run_load_in_process(
    target: str,
    method: str,
    bodies: Iterable[bytes],
    *,
    callers: int,
    connections: int,
    calls: int | None,
    seconds: float | None,
    rate: float | None = None,
    on_answer: OnAnswer | None = None,
    metadata: Sequence[tuple[str, str]] = (),
    timeout: float = 30.0,  # noqa: ASYNC109 - the time one call has, not this function
    wire: str = "grpc",
    authority: str | None = None,
) -> LoadResult:
    """Like `run_load`, but in a process of its own, so that caller and server do not share an interpreter.

    The bodies are sent before the run starts, so they must be finite or bounded by `calls`; `on_answer` is told after
    its end. Raises RuntimeError with what the process said when it failed.
    """
    plan = Plan(target, method, callers, connections, calls, seconds, rate, timeout, tuple(metadata), wire, authority)
    spec = {"plan": asdict(plan), "answers": on_answer is not None}
    given = b"".join([json.dumps(spec).encode() + b"\n", *map(_sized, itertools.islice(bodies, calls))])
    out = await run_child("scripts.bench.load", given)
    head, _, answers = out.partition(b"\n")
    if on_answer is not None:
        for status, message in _read_answers(answers):
            on_answer(status, message)
    return from_json(json.loads(head))


def _result(run: Callers, cpu_seconds: float) -> LoadResult:
    calls, ok, seconds = sum(run.by_status.values()), run.by_status[0], run.ended - run.started
    return LoadResult(
        calls=calls,
        ok=ok,
        by_status={status_name(status): count for status, count in sorted(run.by_status.items()) if count},
        started_at=run.started_at,
        seconds=seconds,
        rate=ok / seconds if seconds else 0.0,
        latencies=latencies_of(sorted(run.latencies)),
        cpu_seconds=cpu_seconds,
    )


def latencies_of(ordered: Sequence[float]) -> Latencies:
    """Of seconds, smallest first."""
    if not ordered:
        return Latencies(0.0, 0.0, 0.0, 0.0)
    last = len(ordered) - 1
    return Latencies(*[ordered[round(last * part)] * 1e3 for part in (0.5, 0.9, 0.99, 1.0)])


def from_json(result: dict[str, Any]) -> LoadResult:
    """A result that was written with `asdict`."""
    return LoadResult(**result | {"latencies": Latencies(**result["latencies"])})


def _sized(body: bytes) -> bytes:
    return _size.pack(len(body)) + body


def _read_answers(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        status, size = _answer_head.unpack_from(data, at)
        at += _answer_head.size
        yield status, data[at : at + size]
        at += size


# The process of its own.


def main() -> None:
    import uvloop

    plan, bodies, wants_answers = _read_run(sys.stdin.buffer)
    answers: list[bytes] = []

    def keep(status: int, message: bytes) -> None:
        answers.append(_answer_head.pack(status, len(message)) + message)

    gc.collect()
    gc.freeze()
    try:
        result = uvloop.run(run_load(bodies=bodies, on_answer=keep if wants_answers else None, **plan))
    except OSError as error:
        sys.exit(f"{plan['target']}: {error or 'no answer'}")
    sys.stdout.buffer.write(json.dumps(asdict(result)).encode() + b"\n" + b"".join(answers))


def _read_run(stdin: BinaryIO) -> tuple[dict[str, Any], list[bytes], bool]:
    spec = json.loads(stdin.readline())
    data, bodies, at = stdin.read(), list[bytes](), 0
    while at < len(data):
        (size,) = _size.unpack_from(data, at)
        bodies.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return spec["plan"], bodies, spec["answers"]


if __name__ == "__main__":
    main()
