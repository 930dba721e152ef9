"""A real gateway with limits of its own before a real embedded system, and honest callers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import yarl

from scripts.bench.joins import phone
from scripts.bench.load import LoadResult, run_load_in_process
from services.chassis.testing import eventually
from services.local.commands import DESCRIPTORS
from services.local.gateway import Gateway
from services.local.gateway_settings import GatewaySettings, Limits
from services.local.keys import Keys
from services.local.keys import of as keys_of
from tests.e2e.system import System, running_system

HONEST = ("honest-1", "honest-2", "honest-3")
FLOODED = "flooded"
LONGEST_LINE = 100_000
MOST_ON_A_PAGE = 100


@dataclass(frozen=True)
class Memory:
    """What is resident, in MB."""

    envoy: float
    python: float


class Edge:
    """The gateway, the system behind it, and ways to come by."""

    def __init__(self, gateway: Gateway, system: System, keys: Keys, http: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.backend = keys.token("tabling-backend", "app", customers="a")
        self._system = system
        self._keys = keys
        self._http = http
        self._parties = count()

    async def ask(self, method: str, path: str, token: str = "", **options: Any) -> Any:
        """The answer's JSON. Raises `aiohttp.ClientResponseError` when it is refused."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with self._http.request(method, self.gateway.url + path, headers=headers, **options) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def open(self, store: str) -> None:
        """Make a store with a long line; returns when it can be joined."""
        operator = self._keys.token("tabling-operator", "tests")
        made = {"displayName": store, "maxWaiting": LONGEST_LINE}
        await self.ask("POST", f"/v1/stores?storeId={store}", operator, json=made)
        await self.ask("POST", f"/v1/stores/{store}:open", self._manager(store), json={})

        async def joins() -> bool:
            return bool(await self.ask("POST", joining(store), self.backend, data=next(self._joins())))

        await eventually(joins)

    async def honest(self, seconds: float, rate: float = 20.0) -> LoadResult:
        """People who join the lines of several stores, for so long."""
        return merged(await asyncio.gather(*(self._join(store, seconds, rate / len(HONEST)) for store in HONEST)))

    async def _join(self, store: str, seconds: float, rate: float) -> LoadResult:
        return await run_load_in_process(
            f"127.0.0.1:{self.gateway.port}",
            joining(store),
            self._joins(),
            callers=32,
            connections=8,
            calls=round(seconds * rate),
            seconds=None,
            rate=rate,
            metadata=[("authorization", f"Bearer {self.backend}")],
            wire="json",
        )

    async def receptions(self, store: str) -> set[str]:
        """The names of all that there are with a store."""
        found: set[str] = set()
        page = ""
        while True:
            path = f"/v1/stores/{store}/receptions?pageSize={MOST_ON_A_PAGE}&pageToken={page}"
            answer = await self.ask("GET", path, self._manager(store))
            found |= {reception["name"] for reception in answer["receptions"]}
            if not (page := answer["nextPageToken"]):
                return found

    async def stats(self, of: str) -> dict[str, int]:
        """Envoy's own figures whose names match."""
        async with self._http.get(f"{self.gateway.admin_url}/stats?filter={of}&format=json") as answer:
            told = (await answer.json(content_type=None))["stats"]
        return {each["name"]: each["value"] for each in told if "name" in each}

    async def figure(self, name: str) -> int:
        """One figure of callers' connections and requests."""
        return (await self.stats(f"^http.gateway.{name}$"))[f"http.gateway.{name}"]

    async def status(self, method: str, path: str, **options: Any) -> int:
        """The answer's status; the path goes out exactly as given, without a token."""
        url = yarl.URL(self.gateway.url + path, encoded=True)
        async with self._http.request(method, url, **options) as answer:
            return answer.status

    def memory(self) -> Memory:
        """What the gateway and the services have now."""
        assert self.gateway.pid
        pids = (self.gateway.pid, self._system.process.pid)
        return Memory(*(psutil.Process(pid).memory_info().rss / 2**20 for pid in pids))

    def _manager(self, store: str) -> str:
        return self._keys.token("tabling-staff", "tests", role="manager", stores=[store])

    def _joins(self) -> Iterator[bytes]:
        for number in self._parties:
            yield json.dumps({"partySize": 2, "phone": phone(number), "customer": f"customers/a-{number}"}).encode()


def joining(store: str) -> str:
    """Where a JSON caller joins its line."""
    return f"/v1/stores/{store}/receptions"


def merged(runs: Sequence[LoadResult]) -> LoadResult:
    """Several runs at a time as one; of latencies the worst are told."""
    statuses: Counter[str] = Counter()
    for run in runs:
        statuses.update(run.by_status)
    worst = max(runs, key=lambda run: run.latencies.p99)
    return LoadResult(
        calls=sum(run.calls for run in runs),
        ok=sum(run.ok for run in runs),
        by_status=dict(statuses),
        started_at=min(run.started_at for run in runs),
        seconds=max(run.seconds for run in runs),
        rate=sum(run.rate for run in runs),
        latencies=worst.latencies,
        cpu_seconds=sum(run.cpu_seconds for run in runs),
    )


@asynccontextmanager
async def guarded(folder: Path, limits: Limits) -> AsyncIterator[Edge]:
    """A gateway with these limits, a system behind it, and stores to join, for the length of the block."""
    data = folder / "data"
    async with running_system(data, "--no-gateway", "--no-demo") as system:
        keys = keys_of(data)
        settings = GatewaySettings(
            descriptors=DESCRIPTORS,
            upstreams=system.targets,
            issuer=keys.issuer,
            key=keys.installation[0],
            listen_port=0,
            limits=limits,
        )
        timeout = aiohttp.ClientTimeout(total=30)
        async with Gateway(settings, folder / "gateway") as gateway, aiohttp.ClientSession(timeout=timeout) as http:
            await gateway.serving()
            edge = Edge(gateway, system, keys, http)
            for store in (*HONEST, FLOODED):
                await edge.open(store)
            yield edge
