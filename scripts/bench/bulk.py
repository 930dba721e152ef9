"""A load generator for streams of joins: a few streams, each with some messages under way.

python -m scripts.bench.bulk reads a run from stdin and answers on stdout; `run_bulk_in_process` speaks to it.
"""

import asyncio
import gc
import itertools
import json
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import grpc
import grpc.aio

from scripts.bench.answers import status_name
from scripts.bench.child import run_child
from scripts.bench.joins import JOIN_MANY
from scripts.bench.load import LoadResult, from_json, latencies_of
from services.chassis.callers import Identity
from tabling.reception.v1.reception_service_pb2 import CreateReceptionsResponse

OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
UNAVAILABLE = 14
TAG = b"\x08"
"""Before the number of CreateReceptionsRequest's field `tag`: messages may be put together of parts."""

_head = struct.Struct(">II")  # How many joins a message has, and its size.

Message = tuple[int, bytes]
"""How many joins it has, and its bytes."""


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """`streams` connections with one stream each and `window` messages under way on it, begun for `seconds`.

    `metadata` is sent with each stream.
    """

    target: str
    streams: int
    window: int
    seconds: float
    metadata: Identity = ()


class Bulk:
    """One run: sends messages, counts what came of their joins."""

    def __init__(self, plan: BulkPlan, messages: Iterable[Message]) -> None:
        self.by_status: Counter[int] = Counter()
        self.latencies: list[float] = []  # Seconds, of messages.
        self.started = self.ended = self.started_at = 0.0
        self._plan, self._messages = plan, iter(messages)
        self._ends = 0.0

    async def run(self) -> None:
        plan = self._plan
        channels = [grpc.aio.insecure_channel(plan.target, options=OPTIONS) for _ in range(plan.streams)]
        try:
            await asyncio.gather(*(channel.channel_ready() for channel in channels))
            self.started_at, self.started = time.time(), perf_counter()
            self.ended, self._ends = self.started, self.started + plan.seconds
            await asyncio.gather(*map(self._stream, channels))
        finally:
            for channel in channels:
                await channel.close()

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        call: Any = channel.stream_stream(JOIN_MANY)(metadata=self._plan.metadata)
        under_way: dict[int, tuple[float, int]] = {}
        tags = itertools.count(1)
        try:
            for _ in range(self._plan.window):
                await self._send(call, next(tags), under_way)
            while under_way:
                self._hear(await call.read(), under_way)
                await self._send(call, next(tags), under_way)
            await call.done_writing()
            await call.code()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            self.by_status[(await call.code()).value[0]] += sum(size for _, size in under_way.values())

    async def _send(self, call: Any, tag: int, under_way: dict[int, tuple[float, int]]) -> None:
        if perf_counter() >= self._ends or (message := next(self._messages, None)) is None:
            return
        size, body = message
        under_way[tag] = (perf_counter(), size)
        await call.write(body + TAG + _varint(tag))

    def _hear(self, answer: Any, under_way: dict[int, tuple[float, int]]) -> None:
        if not isinstance(answer, bytes):
            raise asyncio.InvalidStateError("the stream ended before all was answered")
        response = CreateReceptionsResponse.FromString(answer)
        started, size = under_way.pop(response.tag)
        self.ended = perf_counter()
        self.latencies.append(self.ended - started)
        if response.HasField("refusal"):
            self.by_status[response.refusal.code] += size
        for result in response.results:
            self.by_status[result.refusal.code if result.HasField("refusal") else 0] += 1


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*data, number))


async def run_bulk(plan: BulkPlan, messages: Iterable[Message]) -> LoadResult:
    """Sends the messages, each once; calls, rates and states are those of joins, latencies those of messages."""
    run = Bulk(plan, messages)
    cpu = time.process_time()
    await run.run()
    seconds = run.ended - run.started
    return LoadResult(
        calls=sum(run.by_status.values()),
        ok=run.by_status[0],
        by_status={status_name(status): count for status, count in sorted(run.by_status.items()) if count},
        started_at=run.started_at,
        seconds=seconds,
        rate=run.by_status[0] / seconds if seconds else 0.0,
        latencies=latencies_of(sorted(run.latencies)),
        cpu_seconds=time.process_time() - cpu,
    )


async def run_bulk_in_process(plan: BulkPlan, messages: Iterable[Message]) -> LoadResult:
    """Like `run_bulk`, in a process of its own; the messages must be finite. Raises RuntimeError."""
    given = [json.dumps(asdict(plan)).encode() + b"\n"]
    given += [_head.pack(size, len(body)) + body for size, body in messages]
    return from_json(json.loads(await run_child("scripts.bench.bulk", b"".join(given))))


def main() -> None:
    import uvloop

    given = json.loads(sys.stdin.buffer.readline())
    plan = BulkPlan(**given | {"metadata": tuple(map(tuple, given["metadata"]))})
    messages = list(_read(sys.stdin.buffer.read()))
    gc.collect()
    gc.freeze()
    result = uvloop.run(run_bulk(plan, messages))
    sys.stdout.write(json.dumps(asdict(result)))


def _read(data: bytes) -> Iterator[Message]:
    at = 0
    while at < len(data):
        size, length = _head.unpack_from(data, at)
        at += _head.size + length
        yield size, data[at - length : at]


if __name__ == "__main__":
    main()
