"""A hundred thousand requests that nobody thought of: nothing breaks, nothing leaks, nothing grows."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import psutil
import pytest
import yarl
from google.rpc import code_pb2

from services.chassis.testing import eventually
from services.local.demo import STORES
from tests.agreement import violations
from tests.drills.generated import Names, Request, garbage, message_for, operations, requests_for
from tests.drills.trial import FULL
from tests.e2e.system import System, log_of, running_system
from tests.e2e.test_bad_inputs import INSIDES
from tests.e2e.ways import METHODS

pytestmark = pytest.mark.drill

ROUNDS = 10 if FULL else 1
CASES = 14 if FULL else 2
"""Of each verb and path, in a round. Each is sent by all callers."""
MESSAGES = 40 if FULL else 3
"""Of each method, in a round."""
NOISES = 500 if FULL else 60
AT_ONCE = 16
CALLS_OF_ONE = 40
"""So often the same caller calls; more would meet the gateway's limits and get no further."""
MOST_GROWTH = 0.10

BROKEN = frozenset(
    code_pb2.Code.Value(name) for name in ("UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "DEADLINE_EXCEEDED")
)
Metadata = Mapping[str, str]


class Crowd:
    """Everybody there is, new ones all the time, and each from an address of this machine."""

    def __init__(self, system: System) -> None:
        self._token = system.callers.keys.token
        self._count = itertools.count()
        stores = [store.id for store in STORES]
        self._kinds: list[Mapping[str, Any]] = [
            {},
            {"audience": "tabling-customer"},
            {"audience": "tabling-backend", "customers": "a"},
            {"audience": "tabling-staff", "stores": stores, "role": "manager"},
            {"audience": "tabling-operator"},
        ]
        self._headers: dict[int, list[Metadata]] = {}

    def callers(self) -> list[Metadata]:
        """What the headers of one of each say."""
        turn = next(self._count) // CALLS_OF_ONE
        if turn not in self._headers:
            self._headers = {turn: [self._told(kind, turn) for kind in self._kinds]}
        return self._headers[turn]

    def _told(self, kind: Mapping[str, Any], turn: int) -> Metadata:
        if not kind:
            return {}
        claims = {**kind, "subject": f"a{turn}"}
        return {"authorization": f"Bearer {self._token(**claims)}"}


def source(turn: int) -> str:
    """An address of this machine, another one each time."""
    return f"127.1.{turn // 200 % 200}.{turn % 200 + 1}"


class Senders:
    """Sends, and judges what comes back."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.codes: Counter[str] = Counter()
        self.failures: list[str] = []
        self._turns = itertools.count()

    async def send_json(self, requests: list[tuple[Request, Metadata]]) -> None:
        """All of them, some at a time."""
        connector = aiohttp.TCPConnector(limit=AT_ONCE, local_addr=(source(next(self._turns)), 0))
        async with aiohttp.ClientSession(connector=connector) as http:
            await asyncio.gather(*(self._one_json(http, request, told) for request, told in requests))

    async def _one_json(self, http: aiohttp.ClientSession, request: Request, told: Metadata) -> None:
        url = yarl.URL(self._system.url + request.path, encoded=True)
        headers = {"content-type": "application/json", **told}
        async with http.request(request.verb, url, data=request.body, headers=headers) as answer:
            watches = answer.status == 200 and METHODS[request.what].server_streaming
            text = (await answer.content.readany() if watches else await answer.read()).decode()
            self.codes[f"HTTP {answer.status}"] += 1
            if answer.status >= 500 or (answer.status != 200 and not _is_status(answer, text)):
                self.failures.append(f"{answer.status} {text[:500]} to {request}")
            if watches:
                answer.close()

    async def send_grpc(self, channel: grpc.aio.Channel, method: str, payload: bytes, told: Metadata) -> None:
        """One call of a unary method, or of a stream as far as its first answer."""
        path = f"/{METHODS[method].containing_service.full_name}/{method}"
        metadata = tuple(told.items())
        try:
            if METHODS[method].server_streaming:
                # of a stream of requests, too: on the wire one message and no more is the same
                watch: Any = channel.unary_stream(path)
                watching = watch(payload, metadata=metadata)
                await watching.read()
                watching.cancel()
            else:
                call: Any = channel.unary_unary(path)
                await call(payload, metadata=metadata)
            self.codes["OK"] += 1
        except grpc.aio.AioRpcError as error:
            self.codes[error.code().name] += 1
            if error.code().value[0] in BROKEN or INSIDES.search(error.details() or ""):
                self.failures.append(f"{error.code().name} {error.details()} to {method} of {payload[:500]!r}")

    async def send_noise(self, noise: bytes) -> None:
        """Bytes to the gateway; what it says must be no fault of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._system.port)
        heard = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            writer.write(noise)
            writer.write_eof()
            async with asyncio.timeout(5):
                heard = await reader.read(65536)
        writer.close()
        self.codes["noise"] += 1
        if heard.startswith(b"HTTP/1.1 5"):
            self.failures.append(f"{heard[:500]!r} to {noise[:500]!r}")


def _is_status(answer: aiohttp.ClientResponse, text: str) -> bool:
    return answer.content_type == "application/json" and text.startswith('{"code"') and not INSIDES.search(text)


def memory(system: System) -> float:
    """MB that the system's processes hold, Envoy and the stand-in for KakaoTalk included."""
    parent = psutil.Process(system.process.pid)
    return sum(each.memory_info().rss for each in (parent, *parent.children(recursive=True))) / 1e6


async def names(system: System) -> Names:
    """What is there to name: the demo stores, their tables, and some parties."""
    stores = [f"stores/{store.id}" for store in STORES]
    tables, receptions = [], []
    for store in stores:
        _, listed = await system.json("GET", f"/v1/{store}/tables")
        tables += [table["name"] for table in listed["tables"]]
        for _ in range(3):
            _, joined = await system.json("POST", f"/v1/{store}/receptions", {"partySize": 2})
            receptions.append(joined["name"])
    return Names(stores, tables, receptions)


def processes(system: System) -> Iterator[int]:
    """The ids of the system's processes."""
    return (each.pid for each in psutil.Process(system.process.pid).children(recursive=True))


async def test_no_request_that_anybody_could_make_up_breaks_the_system(tmp_path: Path, figures: list[str]) -> None:
    chance = random.Random("generated")
    async with running_system(tmp_path / "data") as system:
        known, crowd, senders = await names(system), Crowd(system), Senders(system)
        children, held = set(processes(system)), [memory(system)]
        for _ in range(ROUNDS):
            for operation in operations():
                made = list(requests_for(operation, CASES, known, chance))
                await senders.send_json([(one, told) for one in made for told in crowd.callers()])
            async with grpc.aio.insecure_channel(f"127.0.0.1:{system.port}") as channel:
                for method in METHODS:
                    payloads = [message_for(METHODS[method], known, chance) for _ in range(MESSAGES)]
                    each = ((payload, told) for payload in payloads for told in crowd.callers()[1:])
                    while some := list(itertools.islice(each, AT_ONCE)):
                        calls = (senders.send_grpc(channel, method, *one) for one in some)
                        await asyncio.gather(*calls)
            for _ in range(NOISES // AT_ONCE):
                await asyncio.gather(*(senders.send_noise(garbage(chance)) for _ in range(AT_ONCE)))
            held.append(memory(system))
            assert not senders.failures, senders.failures[:5]

        assert system.process.returncode is None
        assert set(processes(system)) == children
        await eventually(lambda: not violations(system.data))
        assert "Traceback" not in log_of(system.data).read_text()

    sent = sum(senders.codes.values())
    told = ", ".join(f"{code} {count:,}" for code, count in senders.codes.most_common())
    figures.append(f"{sent:,} generated requests: {told}")
    figures.append(f"memory while they came: {', '.join(f'{each:.0f}' for each in held)} MB")
    if FULL:
        assert sent >= 100_000
        # the first two rounds warm it up: caches, connections, memory that is kept for the next time
        assert held[-1] < held[2] * (1 + MOST_GROWTH)
