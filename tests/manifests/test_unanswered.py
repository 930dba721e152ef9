"""What a proxy says of calls that nobody answered wakes somebody: a real Envoy's words, in Prometheus' own rules.

To gRPC callers a proxy answers with HTTP 200, whatever is wrong. The labels of Istio's figures are made of what is
asked of Envoy here: code, flags, and of gRPC calls the status.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest

from services.chassis.addresses import free_port
from services.local.probe import fetch
from tests.contract.proxy import Proxy, proxied
from tests.manifests.logging_proxy import Logging, logging_proxy
from tests.manifests.test_monitoring import promtool, rules, rules_file, run
from tests.mesh.envoy import API, HOST, Json, cluster

__all__ = ["promtool"]

LOG = {
    "typed_config": {
        "log_format": {
            "json_format": {
                "path": "%REQ(:PATH)%",
                "response_code": "%RESPONSE_CODE%",
                "grpc_response_status": "%GRPC_STATUS_NUMBER%",
                "response_flags": "%RESPONSE_FLAGS%",
            }
        }
    }
}
NOBODY = {"name": "rbac", "typed_config": {"@type": f"{API}.extensions.filters.http.rbac.v3.RBAC", "rules": {}}}
"""Istio's authorization, by which nobody may call."""

UNANSWERED = {"nobody", "closed", "full", "slow", "dying", "denied", "nobody-http"}
"""Calls that the proxies answered. The others are callers who hang up, answers of the service, and broken streams."""


class Pods(grpc.GenericRpcHandler):
    """A service whose calls do what they are called."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return {
            "hang": grpc.unary_unary_rpc_method_handler(self._hang),
            "busy": grpc.unary_unary_rpc_method_handler(self._busy),
            "deny": grpc.unary_unary_rpc_method_handler(self._deny),
            "watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }[str(handler_call_details.method).rpartition("/")[2]]

    async def _hang(self, request: bytes, context: object) -> bytes:
        self.arrived.set()
        await asyncio.Event().wait()
        return b""

    async def _busy(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.UNAVAILABLE)
        return b""

    async def _deny(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED)
        return b""

    async def _watch(self, request: bytes, context: object) -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()


async def _dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Whoever connects is cut off."""
    await reader.read(1)
    writer.transport.abort()


@dataclass(frozen=True)
class Mesh:
    """A caller's proxy and what is behind it; `callee` is that of a pod which nobody may call."""

    proxy: Logging
    callee: Logging
    channel: Any
    pods: Pods
    fragile: Proxy


def _route(name: str, timeout: str = "0s") -> Json:
    """As the mesh's routes are, in short."""
    repeated = {"retry_on": "connect-failure,refused-stream", "num_retries": 2}
    return {"match": {"prefix": f"/{name}/"}, "route": {"cluster": name, "timeout": timeout, "retry_policy": repeated}}


@asynccontextmanager
async def meshed(folder: Path) -> AsyncIterator[Mesh]:
    """Each path leads to what its first part says."""
    server, pods, dying = grpc.aio.server(), Pods(), free_port()
    server.add_generic_rpc_handlers((pods,))
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    for name in ("caller", "callee"):
        (folder / name).mkdir()
    async with (
        await asyncio.start_server(_dying, HOST, dying),
        proxied(f"tcp://{HOST}:{port}") as fragile,
        logging_proxy(folder / "callee", [_route("denied")], [cluster("denied", port)], LOG, [NOBODY]) as callee,
    ):
        clusters = [
            cluster("nobody"),
            cluster("nobody-http"),
            cluster("closed", free_port()),
            cluster("full", port, circuit_breakers={"thresholds": [{"max_requests": 0}]}),
            *(cluster(name, port) for name in ("slow", "pods")),
            cluster("dying", dying),
            cluster("denied", callee.port),
            cluster("torn", fragile.port),
        ]
        routes = [_route(each["name"], "0.2s" if each["name"] == "slow" else "0s") for each in clusters]
        async with (
            logging_proxy(folder / "caller", routes, clusters, LOG) as caller,
            grpc.aio.insecure_channel(f"{HOST}:{caller.port}") as channel,
        ):
            yield Mesh(caller, callee, channel, pods, fragile)
        await server.stop(None)


async def _call(mesh: Mesh, path: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await mesh.channel.unary_unary(path)(b"")


async def _hang_up(mesh: Mesh, path: str) -> None:
    mesh.pods.arrived.clear()
    call = mesh.channel.unary_unary(path)(b"")
    await mesh.pods.arrived.wait()
    call.cancel()


async def _watch_until_the_pod_dies(mesh: Mesh, path: str) -> None:
    watch = mesh.channel.unary_stream(path)(b"")
    assert await watch.read() == b"first"
    mesh.fragile.cut()
    with pytest.raises(grpc.aio.AioRpcError):
        await watch.read()


async def _as_json(mesh: Mesh, path: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"http://{HOST}:{mesh.proxy.port}{path}") as answer:
        assert answer.status == 503


CALLS: Mapping[str, Callable[[Mesh, str], Any]] = {
    **{f"/{name}/hang": _call for name in ("nobody", "closed", "full", "slow", "dying", "denied")},
    "/nobody-http/v1": _as_json,
    "/pods/busy": _call,
    "/pods/deny": _call,
    "/pods/hang": _hang_up,
    "/torn/watch": _watch_until_the_pod_dies,
}


def _series(line: Mapping[str, str]) -> Mapping[str, str]:
    """Istio's figure of it, under the name of what it led to."""
    labels = dict(line)
    name = labels.pop("path").split("/")[1]
    if labels["grpc_response_status"] == "-" or name.endswith("http"):
        labels["grpc_response_status"] = ""
    labels |= {"reporter": "source", "destination_service_namespace": "tabling", "destination_service_name": name}
    told = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return {"series": f"istio_requests_total{{{told}}}", "values": "0+10x20"}


async def _turned_away(mesh: Mesh) -> Mapping[str, str]:
    """What the callee's proxy counts of that, as Prometheus reads it of a pod."""
    [(name, labels)] = re.findall(
        r"^(envoy_http_rbac)\{(.*denied.*)\} 1$", await fetch(mesh.callee.figures) or "", re.MULTILINE
    )
    return {"series": f'{name}{{{labels}, namespace="tabling", job="denied"}}', "values": "0+10x20"}


def _case(series: list[Mapping[str, str]]) -> Mapping[str, Any]:
    fires = [
        {
            "exp_labels": {"destination_service_name": name, "severity": "page"},
            "exp_annotations": {"summary": f"100% of requests to {name} are not answered by it."},
        }
        for name in sorted(UNANSWERED)
    ]
    return {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "30s",
                "input_series": series,
                "alert_rule_test": [{"eval_time": "8m", "alertname": "TablingUnreachable", "exp_alerts": fires}],
            }
        ],
    }


async def test_what_proxies_answer_by_themselves_wakes_somebody_and_nothing_else_does(
    promtool: str,
    tmp_path: Path,
) -> None:
    async with meshed(tmp_path) as mesh:
        for path, call in CALLS.items():
            await call(mesh, path)
        lines = [await mesh.proxy.line(path=path) for path in CALLS]
        turned_away = await _turned_away(mesh)
    # what istio would count under an error's HTTP code is only what was no gRPC
    assert {line["path"] for line in lines if line["response_code"].startswith("5")} == {"/nobody-http/v1"}
    rules_file(tmp_path, rules())
    case = tmp_path / "case.yaml"
    case.write_text(json.dumps(_case([turned_away, *map(_series, lines)])), "utf-8")
    tested = run(promtool, "test", "rules", case)
    assert tested.returncode == 0, (lines, tested.stdout + tested.stderr)
