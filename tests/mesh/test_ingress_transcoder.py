"""JSON becomes gRPC in Istio's ingress gateway: the example, driven by Istio's own control plane in a real Envoy."""

import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import pytest
import pytest_asyncio

from services.chassis.addresses import free_port
from services.chassis.migrate import migrate
from services.chassis.settings import PORTS
from services.local.child import Child, Program, ended
from tests.e2e.test_gateway import bindings
from tests.e2e.upstream import Upstream
from tests.e2e.ways import METHODS, Ways
from tests.manifests.kustomized import Object
from tests.manifests.test_mesh import HIDDEN
from tests.mesh.ingress import ingress_gateway
from tests.mesh.transcoding import the_filter, with_the_example

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

HOST, OTHER_HOST = "tabling.example.com", "other.example.com"
WATCH = "/v1/stores/s1/receptions/r1:watch"

OTHERS: Object = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "other", "namespace": "tabling"},
    "spec": {
        "hosts": [OTHER_HOST],
        "gateways": ["tabling"],
        "http": [{"name": "all", "directResponse": {"status": 200, "body": {"string": "theirs"}}}],
    },
}
"""What somebody else has behind the same ingress gateway."""


@dataclass(frozen=True)
class Behind:
    """What is behind the ingress gateway, and both its doors."""

    upstream: Upstream
    http: aiohttp.ClientSession
    url: str
    ways: Ways


@asynccontextmanager
async def doors(port: int) -> AsyncIterator[tuple[aiohttp.ClientSession, Ways]]:
    """HTTP and gRPC to the ingress gateway, under our host's name."""
    options = (("grpc.default_authority", HOST),)
    async with (
        aiohttp.ClientSession(headers={"Host": HOST}, timeout=aiohttp.ClientTimeout(total=15)) as http,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel,
    ):
        yield http, Ways(port, http, channel)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Behind]:
    folder, objects = tmp_path_factory.mktemp("ingress"), [*with_the_example(), *the_filter(), OTHERS]
    async with (
        Upstream() as upstream,
        ingress_gateway(folder, objects, dict.fromkeys(PORTS, upstream.port)) as port,
        doors(port) as (http, ways),
    ):
        yield Behind(upstream, http, f"http://127.0.0.1:{port}", ways)


async def test_every_path_of_the_contracts_reaches_its_method(behind: Behind) -> None:
    for method, verb, pattern, body in (each.values for each in bindings()):
        if method.server_streaming:
            behind.upstream.to_watchers.put_nowait(None)
        path = re.sub(r"\{[a-z_.]+=([^}]+)\}", lambda found: found[1].replace("*", "a-1"), pattern)
        answer = await behind.ways.over_http(verb, path, b"{}" if body else None)
        assert answer.status == 200, (verb, path, answer)
        assert behind.upstream.last.method == method.name, (verb, path)


async def test_every_public_method_is_there_for_grpc_callers(behind: Behind) -> None:
    for name, method in METHODS.items():
        if method.client_streaming:
            continue
        if method.server_streaming:
            behind.upstream.to_watchers.put_nowait(0)
            behind.upstream.to_watchers.put_nowait(None)
        assert (await behind.ways.as_grpc(name, {})).code == "OK", name
        assert behind.upstream.last.method == name


async def test_the_time_limit_reaches_the_service(behind: Behind) -> None:
    await behind.ways.as_json("GetStore", {"name": "stores/s1"})
    assert 0 < (behind.upstream.last.seconds_left or 0) <= 10
    behind.upstream.to_watchers.put_nowait(None)
    await behind.ways.over_http("GET", WATCH)
    assert behind.upstream.last.seconds_left is None


@pytest.mark.parametrize("path", HIDDEN)
async def test_hidden_methods_stay_hidden(behind: Behind, path: str) -> None:
    calls = len(behind.upstream.calls)
    assert (await behind.ways.over_grpc(path, b"")).code == "UNIMPLEMENTED"
    assert (await behind.ways.over_http("POST", path, b"{}")).status == 404
    assert len(behind.upstream.calls) == calls


@pytest.mark.parametrize(
    ("accept", "kind", "before"),
    [("*/*", "application/json", ""), ("text/event-stream", "text/event-stream", "data: ")],
)
async def test_watchers_are_told_line_by_line_or_by_events(behind: Behind, accept: str, kind: str, before: str) -> None:
    for version in (1, 2, None):
        behind.upstream.to_watchers.put_nowait(version)
    async with behind.http.get(behind.url + WATCH, headers={"Accept": accept}) as answer:
        assert answer.content_type == kind
        lines = [line for line in (await answer.text()).splitlines() if line]
    assert [line.startswith(before + '{"reception":{') for line in lines] == [True, True], lines


async def test_what_is_not_there_is_a_404_and_what_is_ill_made_a_400(behind: Behind) -> None:
    missing = await behind.ways.as_json("GetStore", {"name": "stores/missing"})
    assert (missing.status, missing.code) == (404, "NOT_FOUND")
    assert missing.details["ErrorInfo"]["reason"] == "RECEPTION_NOT_FOUND"
    assert (await behind.ways.over_http("GET", "/v1/nothing")).status == 404
    assert (await behind.ways.over_http("POST", "/v1/stores/s1:pause", b"{")).status == 400
    assert (await behind.ways.over_http("POST", "/v1/stores/s1:pause", b"{" + b" " * 2**17 + b"}")).status == 413
    assert (await behind.ways.over_http("GET", "/v1/stores/s1?nonsense=1")).status == 400


async def test_other_hosts_of_the_ingress_gateway_are_as_they_were(behind: Behind) -> None:
    for path in ("/v1/stores/s1", "/anything"):
        async with behind.http.post(behind.url + path, json={}, headers={"Host": OTHER_HOST}) as answer:
            assert (answer.status, await answer.text()) == (200, "theirs")


async def test_a_store_is_made_and_read_through_it_in_the_real_service(tmp_path: Path) -> None:
    migrate("management", str(tmp_path / "management.db"))
    port = free_port()
    async with (
        management(tmp_path, port),
        ingress_gateway(tmp_path, [*with_the_example(), *the_filter()], {"management": port}) as ingress,
        doors(ingress) as (_, ways),
    ):
        made = await ways.over_http("POST", "/v1/stores?storeId=a-store", b'{"displayName": "A store"}')
        assert made.status == 200, made
        found = await ways.over_http("GET", "/v1/stores/a-store")
        assert (found.status, found.answer["displayName"]) == (200, "A store")
        missing = await ways.over_http("GET", "/v1/stores/nowhere")
        assert (missing.status, missing.code) == (404, "NOT_FOUND")
        assert missing.details["ErrorInfo"]["domain"] == "management.tabling"


@asynccontextmanager
async def management(data: Path, port: int) -> AsyncIterator[None]:
    """The service as a process of its own."""
    log = data / "management.log"

    async def serves() -> bool:
        return '"event": "serving"' in log.read_text()

    child = Child(
        Program(
            name="management",
            command=(sys.executable, "-m", "services.management"),
            log=log,
            answers=serves,
            explain=lambda text: text,
            environment={**os.environ, "TABLING_DATA": str(data), "TABLING_LISTEN": f"127.0.0.1:{port}"},
        )
    )
    async with ended([child]):
        await child.start()
        await child.ready()
        yield
