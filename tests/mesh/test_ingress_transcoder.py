"""JSON becomes gRPC in Istio's ingress gateway: the example, driven by Istio's own control plane in a real Envoy."""

import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio

from scripts.ingress_transcoder import envoy_filter, site
from services.chassis.addresses import free_port
from services.chassis.callers import KEY, PRINCIPAL, as_principal, as_service
from services.chassis.migrate import migrate
from services.chassis.settings import PORTS
from services.local.child import Child, Program, ended
from services.local.gateway_settings import ISSUER
from tests.e2e.callers import Headers
from tests.e2e.test_gateway import bindings
from tests.e2e.test_tokens import bearer, telling
from tests.e2e.tokens import BAD, Signer
from tests.e2e.upstream import Upstream
from tests.e2e.ways import METHODS, Outcome, Ways
from tests.entitled import KEYS
from tests.manifests.kustomized import Object
from tests.manifests.test_mesh import HIDDEN
from tests.mesh.ingress import ingress_gateway
from tests.mesh.transcoding import with_the_example

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

HOST, OTHER_HOST = "tabling.example.com", "other.example.com"
WATCH = "/v1/stores/s1/receptions/r1:watch"

SIGNER = Signer("issuer")
OPERATOR = bearer(SIGNER.token())
NO_TOKEN = {"authorization": "Basic cm9vdDo="}
FORGED = [
    dict(as_principal(KEYS, aud="tabling-operator", sub="root")),
    dict(as_principal(("guessed",), aud="tabling-operator", sub="root")),
    dict(as_service(KEYS, "dashboard")),
]
"""What nobody outside may say of who calls: even with the true key it counts for nothing."""

SEARCH = "/v1/storeViews:search"
"""What anybody may ask."""

OTHERS: Object = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "other", "namespace": "tabling"},
    "spec": {
        "hosts": [OTHER_HOST],
        "gateways": ["tabling"],
        "http": [
            {
                "name": "reception-reads",
                "match": [{"uri": {"prefix": "/tabling."}}],
                "route": [{"destination": {"host": "dashboard", "port": {"number": PORTS["dashboard"]}}}],
            },
            {"name": "transcode-to-json", "directResponse": {"status": 200, "body": {"string": "theirs"}}},
        ],
    },
}
"""What somebody else has behind the same ingress gateway, by the names of our routes."""


@dataclass(frozen=True)
class Behind:
    """What is behind the ingress gateway, and both its doors; `others` are those of another host."""

    upstream: Upstream
    http: aiohttp.ClientSession
    url: str
    ways: Ways
    others: Ways


@asynccontextmanager
async def doors(port: int, host: str = HOST) -> AsyncIterator[tuple[aiohttp.ClientSession, Ways]]:
    """HTTP and gRPC to the ingress gateway, under a host's name."""
    options = (("grpc.default_authority", host),)
    async with (
        aiohttp.ClientSession(headers={"Host": host}, timeout=aiohttp.ClientTimeout(total=15)) as http,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel,
    ):
        yield http, Ways(port, http, channel)


@asynccontextmanager
async def ingress(folder: Path, pods: Mapping[str, int]) -> AsyncIterator[int]:
    """The ingress gateway with the example, which asks our issuer for its keys."""
    async with telling(SIGNER) as keys:
        ours = envoy_filter({**site(), "issuer": ISSUER, "keys": keys.url})
        async with ingress_gateway(folder, [*with_the_example(), ours, OTHERS], pods) as port:
            yield port


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Behind]:
    async with (
        Upstream() as upstream,
        ingress(tmp_path_factory.mktemp("ingress"), dict.fromkeys(PORTS, upstream.port)) as port,
        doors(port) as (http, ways),
        doors(port, OTHER_HOST) as (_, others),
    ):
        yield Behind(upstream, http, f"http://127.0.0.1:{port}", ways, others)


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
    own = {**OPERATOR, PRINCIPAL: "theirs"}
    for path in ("/v1/stores/s1", "/anything"):
        answer = await behind.others.over_http("POST", path, b"{}", own)
        assert (answer.status, answer.text) == (200, "theirs")
    for headers in (own, {**own, **bearer("a token of theirs")}):
        assert (await behind.others.as_grpc("SearchStores", {}, by=headers)).code == "OK"
        said = behind.upstream.last.metadata
        assert said.items() >= headers.items()
        assert KEY not in said


async def test_services_are_shown_the_key_and_told_whose_token_it_was_but_not_the_token(behind: Behind) -> None:
    told = behind.upstream
    for nobody in ({}, NO_TOKEN):
        for way in both_ways(behind, nobody):
            assert (await way).code == "OK"
            assert told.last.metadata[KEY] == KEYS[0]
            assert not {PRINCIPAL, "authorization"} & told.last.metadata.keys()
    for way in both_ways(behind, OPERATOR):
        assert (await way).code == "OK"
        assert told.last.metadata[KEY] == KEYS[0]
        assert claims(told.last.metadata[PRINCIPAL])["aud"] == "tabling-operator"
        assert "authorization" not in told.last.metadata


@pytest.mark.parametrize("forged", FORGED)
async def test_what_callers_forge_does_not_get_through(behind: Behind, forged: Headers) -> None:
    for way in both_ways(behind, {**forged, "x-envoy-external-address": "203.0.113.9"}):
        assert (await way).code == "OK"
        said = behind.upstream.last.metadata
        assert {name for name in said if name.startswith("x-tabling-")} == {KEY}
        assert said[KEY] == KEYS[0]
        assert "203.0.113.9" not in said.values()
    for way in both_ways(behind, {**forged, **bearer(SIGNER.token(aud="tabling-customer", sub="kim"))}):
        assert (await way).code == "OK"
        assert claims(behind.upstream.last.metadata[PRINCIPAL])["sub"] == "kim"


@pytest.mark.parametrize("what", BAD)
async def test_a_token_that_is_not_good_is_refused(behind: Behind, what: str) -> None:
    calls, shown = len(behind.upstream.calls), bearer(BAD[what](SIGNER))
    # what is right but for whom it is, our own gateway refuses by 401, too
    wrong = (403, "PERMISSION_DENIED") if "audience" in what or what == "for nobody" else (401, "UNAUTHENTICATED")
    assert (await behind.ways.over_http("GET", SEARCH, headers=shown)).status == wrong[0]
    assert (await behind.ways.as_grpc("SearchStores", {}, by=shown)).code == wrong[1]
    assert len(behind.upstream.calls) == calls


async def test_a_token_in_the_query_is_none(behind: Behind) -> None:
    answer = await behind.ways.over_http("GET", f"{SEARCH}?access_token={BAD['expired'](SIGNER)}")
    assert answer.status == 400, "it is nothing but a parameter that no method has"


def both_ways(behind: Behind, headers: Headers) -> Iterator[Awaitable[Outcome]]:
    """The same call as JSON and as gRPC."""
    yield behind.ways.over_http("GET", SEARCH, headers=headers)
    yield behind.ways.as_grpc("SearchStores", {}, by=headers)


def claims(told: str) -> Any:
    """What a service is told of a token."""
    return json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))


async def test_real_services_let_in_who_has_a_token_for_it_and_nobody_else(tmp_path: Path) -> None:
    pods = {"management": free_port(), "dashboard": free_port()}
    async with (
        service("management", tmp_path, pods["management"]),
        service("dashboard", tmp_path, pods["dashboard"]),
        ingress(tmp_path, pods) as port,
        doors(port) as (_, ways),
    ):
        made = await ways.over_http("POST", "/v1/stores?storeId=a-store", b'{"displayName": "A store"}', OPERATOR)
        assert made.status == 200, made
        staff = bearer(SIGNER.token(aud="tabling-staff", sub="lee", role="manager", stores=["a-store"]))
        for by in (OPERATOR, staff):
            found = await ways.over_http("GET", "/v1/stores/a-store", headers=by)
            assert (found.status, found.answer["displayName"]) == (200, "A store")
        missing = await ways.over_http("GET", "/v1/stores/nowhere", headers=OPERATOR)
        assert (missing.status, missing.code) == (404, "NOT_FOUND")
        assert missing.details["ErrorInfo"]["domain"] == "management.tabling"
        assert (await ways.over_http("GET", "/v1/stores/another", headers=staff)).status == 404
        assert (await ways.over_http("GET", "/v1/stores", headers=staff)).status == 403
        for headers in ({}, NO_TOKEN, *FORGED):
            assert (await ways.over_http("GET", "/v1/stores/a-store", headers=headers)).status == 401
            assert (await ways.as_grpc("GetStore", {"name": "stores/a-store"}, by=headers)).code == "UNAUTHENTICATED"
            assert (await ways.over_http("GET", SEARCH, headers=headers)).status == 200
            assert (await ways.as_grpc("SearchStores", {}, by=headers)).code == "OK"


@asynccontextmanager
async def service(name: str, data: Path, port: int) -> AsyncIterator[None]:
    """A service as a process of its own."""
    migrate(name, str(data / f"{name}.db"))
    log = data / f"{name}.log"

    async def serves() -> bool:
        return '"event": "serving"' in log.read_text()

    child = Child(
        Program(
            name=name,
            command=(sys.executable, "-m", f"services.{name}"),
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
