"""A real gateway before real gRPC servers that answer by rule, and the ways to ask it."""

import asyncio
import contextlib
import itertools
import json
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import yarl

from services.local.gateway import Gateway
from services.local.gateway_routes import PUBLIC
from services.local.gateway_settings import ISSUER, GatewaySettings, Issuer
from tests.e2e.upstream import Upstream
from tests.entitled import KEYS

DESCRIPTORS = Path(__file__).resolve().parents[2] / "gen" / "tabling.pb"
NOBODY = Path(__file__).parent / "nobody.json"
"""The public keys of an issuer whose tokens nobody has."""
T = TypeVar("T")
ORIGIN = "https://app.tabling.example"


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers with lower-case names, and the body's text."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def reason(self) -> str:
        """The reason of the error's only ErrorInfo, once its shape is found to be the common one."""
        assert self.headers["content-type"] == "application/json", self
        assert set(self.json) == {"code", "message", "details"}, self
        [info] = self.json["details"]
        assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo", self
        assert info["metadata"] == {}, self
        assert self.json["message"], self
        return f"{info['domain']} {info['reason']} {self.json['code']}"


@dataclass(frozen=True)
class Asked:
    """A gateway, what is behind it, and HTTP to both its doors."""

    gateway: Gateway
    upstream: Upstream
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One request to the gateway; the path goes out exactly as given."""
        url = yarl.URL(self.gateway.url + path, encoded=True)
        async with self.http.request(method, url, **options) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, await answer.text())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def stat(self, name: str, cluster: str = "reception") -> int:
        """One of Envoy's own counters of a cluster."""
        full = f"cluster.{cluster}.{name}"
        async with self.http.get(f"{self.gateway.admin_url}/stats?filter={full}$") as answer:
            text = await answer.text()
        return int(text.rpartition(": ")[2] or 0)


def settings_for(upstream_port: int, **options: Any) -> GatewaySettings:
    """Settings of a gateway on a free port before one upstream that plays all services."""
    defaults: dict[str, Any] = {
        "descriptors": DESCRIPTORS,
        "upstreams": dict.fromkeys(PUBLIC, f"127.0.0.1:{upstream_port}"),
        "issuer": Issuer(name=ISSUER, jwks=NOBODY),
        "key": KEYS[0],
        "listen_port": 0,
        "cors_origins": (ORIGIN,),
    }
    return GatewaySettings(**(defaults | options))


@asynccontextmanager
async def gateway_before_an_upstream(folder: Path, **options: Any) -> AsyncIterator[Asked]:
    """A gateway and its upstream for the length of the block."""
    async with (
        Upstream() as upstream,
        Gateway(settings_for(upstream.port, **options), folder) as gateway,
        session() as http,
    ):
        yield Asked(gateway, upstream, http)


def session(connector: aiohttp.BaseConnector | None = None) -> aiohttp.ClientSession:
    """An HTTP session in which nothing takes longer than a test should."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15), connector=connector)


def from_everywhere() -> aiohttp.TCPConnector:
    """Requests each of which comes from another address of this machine, as if from another caller."""
    numbers = itertools.cycle(range(2, 250))

    def bound(address: Any) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        made.bind((f"127.0.0.{next(numbers)}", 0))
        return made

    return aiohttp.TCPConnector(force_close=True, socket_factory=bound)


async def raw(port: int, request: bytes) -> bytes:
    """What the gateway says to these very bytes, until it closes or its JSON is complete."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    heard = b""
    try:
        async with asyncio.timeout(5):
            while not heard.endswith(b"}\n") and (part := await reader.read(65536)):
                heard += part
    finally:
        writer.close()
    return heard


async def eventually(probe: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], seconds: float = 20) -> T:
    """Ask until the answer is as wanted; fails with what was seen last."""
    limit = time.monotonic() + seconds
    while not wanted(seen := await probe()):
        assert time.monotonic() < limit, f"still {seen!r} after {seconds} s"
        await asyncio.sleep(0.03)
    return seen


def quiet_port() -> int:
    """A free port that the system gives to nobody else: outside the range of outgoing connections."""
    for port in random.sample(range(10_000, 30_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")
