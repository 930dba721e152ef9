"""The gateway under attack: whoever has no part in it does not suffer from it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
import pytest_asyncio

from scripts.bench.load import LoadResult
from services.chassis.testing import eventually
from services.local.commands import DESCRIPTORS
from services.local.gateway import raise_open_files
from services.local.gateway_routes import public_methods
from services.local.gateway_settings import Limits
from tests.drills.dawdlers import dawdlers
from tests.drills.edge import FLOODED, HONEST, Edge, Memory, guarded, joining
from tests.drills.flood import flood
from tests.drills.trial import FULL
from tests.e2e.gateway import raw

pytestmark = pytest.mark.drill

SECONDS = 20.0 if FULL else 2.0
IDLE, SLOW = (10_000, 500) if FULL else (1_000, 50)
PATIENCE = (
    Limits(connection_idle_seconds=60)
    if FULL
    else Limits(connection_idle_seconds=2, headers_seconds=2, unary_seconds=3, idle_seconds=2)
)
FLOOD_A_SECOND = 5_000 if FULL else 2_000
MALFORMED = 1_000 if FULL else 300
AT_ONCE = 20
MOST_GROWTH_MB = 256
OWN_CONNECTIONS = 20
BROKEN = frozenset(
    (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS)
)
"""What no request may bring about, however ill-made."""
UTF8_BROKEN = ("%ff", "%c3%28", "%ed%a0%80", "%f8%88%80%80%80", "%e2%82")


@pytest_asyncio.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with guarded(tmp_path, Limits(per_address=100_000, per_store=100_000, per_store_and_caller=100_000)) as it:
        yield it


async def test_honest_callers_are_served_while_thousands_idle_or_dawdle(tmp_path: Path, figures: list[str]) -> None:
    raise_open_files()
    async with guarded(tmp_path, PATIENCE) as edge:
        quiet, before = await edge.honest(SECONDS), edge.memory()
        async with dawdlers(edge.gateway.port, IDLE, SLOW):
            busy = await edge.honest(SECONDS)
            during = edge.memory()
            assert await edge.figure("downstream_cx_total") >= IDLE + SLOW

            async def are_cut() -> bool:
                return await edge.figure("downstream_cx_active") <= OWN_CONNECTIONS

            # who sent many requests and reads no answer has several of these times
            await eventually(are_cut, seconds=10 * PATIENCE.idle_seconds)
        figures.append(told(f"{IDLE} idle, {SLOW} slow", quiet, busy, before, during))
        assert_served(quiet, busy)


async def test_a_flood_of_joins_to_one_store_leaves_the_others_alone(tmp_path: Path, figures: list[str]) -> None:
    async with guarded(tmp_path, Limits()) as edge:
        quiet, before = await edge.honest(SECONDS), edge.memory()
        there = await edge.receptions(FLOODED)
        where, body = edge.gateway.url + joining(FLOODED), json.dumps({"partySize": 2})
        flooding = flood(where, body, SECONDS, FLOOD_A_SECOND, tmp_path)
        flooded, busy = await asyncio.gather(flooding, edge.honest(SECONDS))
        after = edge.memory()
        what = f"{flooded.rate:.0f} joins/s by nobody, {flooded.let_in} of {flooded.requests} let in"
        figures.append(told(what, quiet, busy, before, after))
        assert (flooded.let_in + flooded.refused, flooded.failed) == (flooded.requests, 0), flooded
        assert 0 < flooded.let_in < flooded.refused
        assert len(await edge.receptions(FLOODED)) == len(there) + flooded.let_in
        assert_served(quiet, busy)
        assert max(after.envoy - before.envoy, after.python - before.python) < MOST_GROWTH_MB


async def test_malformed_requests_take_no_service_away(edge: Edge, figures: list[str]) -> None:
    random = Random("malformed")
    methods = [method.path for method in public_methods(DESCRIPTORS)]
    said: Sequence[Callable[[grpc.aio.Channel], Awaitable[int | bytes | grpc.StatusCode]]] = (
        lambda _: edge.status("POST", joining(random.choice(HONEST)), data=garbage(random)),
        lambda _: edge.status("POST", joining(HONEST[0]), data=json.dumps({"partySize": "many"})),
        lambda _: edge.status("GET", f"/v1/stores/{random.choice(UTF8_BROKEN)}/receptions/{random.randbytes(4).hex()}"),
        lambda _: edge.status("GET", f"/v1/storeViews:search?pageSize={random.choice(UTF8_BROKEN)}"),
        lambda _: raw(edge.gateway.port, garbage(random) + b"\r\n\r\n"),
        lambda channel: code(channel, random.choice(methods), garbage(random), edge.backend),
        lambda channel: code(channel, random.choice(methods), b"\x0a\x02\xff\xfe", ""),
    )
    before, asked = edge.memory(), requests_of(await edge.stats("^cluster"))
    heard: list[int | bytes | grpc.StatusCode] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{edge.gateway.port}") as channel:
        for start in range(0, MALFORMED, AT_ONCE):
            heard += await asyncio.gather(*(said[each % len(said)](channel) for each in range(start, start + AT_ONCE)))
    assert [answer for answer in heard if not is_refusal(answer)] == []
    clusters = await edge.stats("^cluster")
    ejected = {name: value for name, value in clusters.items() if "ejections_enforced" in name and value}
    unwell = [
        name
        for name, value in clusters.items()
        if name.endswith(".membership_healthy") and value != clusters[name.replace("_healthy", "_total")]
    ]
    assert (ejected, unwell) == ({}, [])
    assert requests_of(clusters) - asked > MALFORMED / len(said)
    after = await edge.honest(1)
    assert after.by_status == {"OK": after.calls}
    figures.append(
        f"{MALFORMED} malformed requests: 0 ejections; Envoy {before.envoy:.0f} → {edge.memory().envoy:.0f} MB, "
        f"services {before.python:.0f} → {edge.memory().python:.0f} MB"
    )


def assert_served(quiet: LoadResult, busy: LoadResult) -> None:
    """Everybody honest was answered. How much later is told: how fast a machine is, is no promise of ours."""
    assert quiet.by_status == {"OK": quiet.calls}
    assert busy.by_status == {"OK": busy.calls}


def told(what: str, quiet: LoadResult, busy: LoadResult, before: Memory, after: Memory) -> str:
    ratio = busy.latencies.p99 / quiet.latencies.p99
    return (
        f"{what}: honest joins p99 {quiet.latencies.p99:.0f} → {busy.latencies.p99:.0f} ms (× {ratio:.1f}); "
        f"Envoy {before.envoy:.0f} → {after.envoy:.0f} MB, services {before.python:.0f} → {after.python:.0f} MB"
    )


def requests_of(clusters: Mapping[str, int]) -> int:
    """How many the services got."""
    return sum(value for name, value in clusters.items() if name.endswith(".upstream_rq_total"))


def is_refusal(answer: int | bytes | grpc.StatusCode) -> bool:
    """Whether nothing broke; some bytes are a message by chance, and what is not HTTP at all may get no answer."""
    match answer:
        case int(status):
            return 400 <= status < 500
        case bytes(text):
            return not text or text.startswith(b"HTTP/1.1 4")
    return answer not in BROKEN


def garbage(random: Random) -> bytes:
    return random.randbytes(random.randint(1, 200))


async def code(channel: grpc.aio.Channel, method: str, body: bytes, token: str) -> grpc.StatusCode:
    """What comes of a call with these bytes as its only message."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    # on the wire one message and no more is the same for all kinds of methods
    calling: Any = channel.unary_stream(method)
    call = calling(body, metadata=metadata, timeout=5)
    with suppress(grpc.aio.AioRpcError):
        await call.read()
    call.cancel()
    told: grpc.StatusCode = await call.code()
    return told
