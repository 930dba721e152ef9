"""What the mesh's proxies log, and in which words: the files' expression and format in a real Envoy."""

from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest

from tests.e2e.system import ROOT
from tests.e2e.upstream import Upstream
from tests.manifests.kustomized import of_kind, overlay
from tests.manifests.logging_proxy import logging_proxy
from tests.manifests.test_monitoring import YAML_FILES
from tests.mesh.envoy import API, HOST, Json, cluster

GET_STORE = "/tabling.management.v1.ManagementService/GetStore"


def telemetry() -> Any:
    [found] = of_kind(overlay("prod"), "Telemetry")
    return found["spec"]


def provider(name: str) -> Any:
    """What the mesh is told of it."""
    told = YAML_FILES.load((ROOT / "istio" / "mesh-config.yaml").read_text("utf-8"))
    [found] = [each for each in told["meshConfig"]["extensionProviders"] if each["name"] == name]
    return found


def access_log() -> Json:
    """As Istio makes it of a Telemetry and its provider."""
    [logging] = telemetry()["accessLogging"]
    [named] = logging["providers"]
    without_query = {"@type": f"{API}.extensions.formatter.req_without_query.v3.ReqWithoutQuery"}
    return {
        "filter": {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": {
                    "@type": f"{API}.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                    "expression": logging["filter"]["expression"],
                },
            }
        },
        "typed_config": {
            "log_format": {
                "json_format": provider(named["name"])["envoyFileAccessLog"]["logFormat"]["labels"],
                "formatters": [{"name": "envoy.formatter.req_without_query", "typed_config": without_query}],
            }
        },
    }


ROUTES: list[Json] = [
    {"match": {"path": "/v1/good"}, "direct_response": {"status": 200, "body": {"inline_string": "{}"}}},
    {"match": {"path": "/v1/missing"}, "direct_response": {"status": 404}},
    {"match": {"path": "/v1/broken"}, "direct_response": {"status": 500}},
    {"match": {"prefix": "/"}, "route": {"cluster": "pods"}},
]


async def test_calls_that_failed_are_logged_and_what_people_searched_for_is_not(tmp_path: Path) -> None:
    async with Upstream() as upstream:
        pods = cluster("pods", upstream.port)
        async with logging_proxy(tmp_path, ROUTES, [pods], access_log()) as proxy:
            for path in ("good", "missing", "broken"):
                await as_json(f"http://{HOST}:{proxy.port}/v1/{path}?query=kim")
            async with grpc.aio.insecure_channel(f"{HOST}:{proxy.port}") as channel:
                await call(channel, "stores/s1")
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(channel, "stores/missing")
            last = await proxy.line(path="/v1/stores/missing")
            lines = proxy.lines()
    # in the order in which they came, and no other
    failed = [("/v1/broken", "500"), ("/v1/broken", "500"), ("/v1/stores/missing", "200")]
    assert [(line["path"], line["status"]) for line in lines] == failed
    assert (last["method"], last["grpc_status"]) == ("GET", "NotFound")
    assert "kim" not in proxy.log.read_text("utf-8")


async def as_json(url: str) -> None:
    """Twice: one says what it sends, and one does not."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(url, headers={"Content-Type": "application/json"}),
        http.get(url, skip_auto_headers=["Content-Type"]),
    ):
        pass


async def call(channel: Any, store: str) -> None:
    """As the gateway calls for somebody who came with JSON."""
    request = b"\x0a" + bytes([len(store)]) + store.encode()
    metadata = (("x-envoy-original-path", f"/v1/{store}?query=kim"), ("x-envoy-original-method", "GET"))
    await channel.unary_unary(GET_STORE)(request, metadata=metadata)


def test_a_line_is_like_one_of_our_gateway() -> None:
    [logging] = telemetry()["accessLogging"]
    [named] = logging["providers"]
    template = (ROOT / "envoy" / "gateway.yaml.j2").read_text("utf-8")
    own = template.partition("json_format:\n")[2].partition("formatters:")[0].splitlines()
    told = {line.strip() for line in own if not line.strip().startswith("#")} - {""}
    labels = provider(named["name"])["envoyFileAccessLog"]["logFormat"]["labels"]
    assert {f'{name}: "{value}"' for name, value in labels.items()} == told


def test_every_provider_is_one_of_which_the_mesh_is_told() -> None:
    spec = telemetry()
    for kind in ("tracing", "accessLogging"):
        for each in spec[kind]:
            assert [provider(named["name"]) for named in each["providers"]]
