"""Istio's ingress gateway on one machine: all that it does, its listener too, comes from Istio's own control plane."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.chassis.addresses import free_port
from services.local.child import Child, Program, ended
from services.local.gateway import envoy_binary
from services.local.probe import fetch
from tests.mesh.istio import HTTP2, NO_AGENT
from tests.mesh.tools import program

CONCERNS = ("Service", "VirtualService", "DestinationRule", "Gateway", "EnvoyFilter")
"""Kinds that make the ingress gateway what it is."""

HOST = "127.0.0.1"
NAMESPACE = "istio-system"


@asynccontextmanager
async def ingress_gateway(
    folder: Path, objects: Sequence[Mapping[str, Any]], pods: Mapping[str, int]
) -> AsyncIterator[int]:
    """istiod and an Envoy that does what it says, for callers without TLS; the port of 127.0.0.1 where it listens.

    `pods` has the port of the one pod behind each service.
    """
    port, istiod_port = free_port(), free_port()
    files = folder / "objects"
    files.mkdir()
    given = [*_on_one_machine(objects, port), *(each for name in pods for each in _behind(objects, name, pods[name]))]
    (files / "all.yaml").write_text("\n---\n".join(json.dumps(each) for each in given), encoding="utf-8")
    children = [_istiod(folder, files, istiod_port), _envoy(folder, istiod_port)]
    async with ended(children):
        for child in children:
            await child.start()
            await child.ready()
        yield port


def _istiod(folder: Path, files: Path, port: int) -> Child:
    log = folder / "istiod.log"

    async def serves() -> bool:
        return "serving on" in log.read_text()

    return Child(
        Program(
            name="istiod",
            command=(str(program("istiod")), "--objects", str(files), "--listen", f"{HOST}:{port}"),
            log=log,
            answers=serves,
            explain=lambda text: text,
            environment={**os.environ, **NO_AGENT},
        )
    )


def _envoy(folder: Path, istiod: int) -> Child:
    admin, config = folder / "admin", folder / "envoy.json"
    config.write_text(json.dumps(_bootstrap(istiod)), encoding="utf-8")

    async def listens() -> bool:
        if not admin.exists() or await fetch(f"http://{admin.read_text()}/ready") is None:
            return False
        return ":" in (await fetch(f"http://{admin.read_text()}/listeners") or "")

    return Child(
        Program(
            name="the ingress gateway",
            command=(
                *(str(envoy_binary()), "--config-path", str(config), "--concurrency", "1", "--log-level", "warning"),
                *("--disable-hot-restart", "--admin-address-path", str(admin)),
            ),
            log=folder / "envoy.log",
            answers=listens,
            explain=lambda text: text,
        )
    )


def _on_one_machine(objects: Sequence[Mapping[str, Any]], port: int) -> Iterator[Mapping[str, Any]]:
    """Those that concern the ingress gateway. It listens on a port of this machine, and needs no certificate."""
    for each in objects:
        if each["kind"] not in CONCERNS:
            continue
        spec = each["spec"]
        if each["kind"] == "Service":
            spec = spec | {"clusterIP": HOST}
        if each["kind"] == "Gateway":
            plain = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "bind": HOST, "hosts": ["*"]}
            spec = spec | {"servers": [plain]}
        yield {**each, "spec": spec}


def _behind(objects: Sequence[Mapping[str, Any]], service: str, number: int) -> Iterator[Mapping[str, Any]]:
    """The pod behind a service, whose labels decide in which subsets it is, and what Kubernetes knows of it."""
    kinds = {each["kind"]: each for each in objects if each["metadata"]["name"] == service}
    namespace = kinds["Service"]["metadata"]["namespace"]
    template = kinds["Deployment"]["spec"]["template"]
    yield {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{service}-1", "namespace": namespace, "labels": template["metadata"]["labels"]},
        "spec": {"serviceAccountName": template["spec"]["serviceAccountName"], "containers": []},
        "status": {"phase": "Running", "podIP": HOST, "podIPs": [{"ip": HOST}]},
    }
    pod = {"kind": "Pod", "name": f"{service}-1", "namespace": namespace}
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": service, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": kinds["Service"]["spec"]["ports"][0]["name"], "port": number}],
        "endpoints": [{"addresses": [HOST], "conditions": {"ready": True}, "targetRef": pod}],
    }


def _bootstrap(istiod: int) -> Mapping[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3"}
    options = {"@type": f"type.googleapis.com/{HTTP2}", "explicit_http_config": {"http2_protocol_options": {}}}
    control_plane = {
        "name": "istiod",
        "type": "STATIC",
        "typed_extension_protocol_options": {HTTP2: options},
        "load_assignment": {
            "cluster_name": "istiod",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(istiod)}}]}],
        },
    }
    return {
        "node": {
            "id": f"router~{HOST}~ingress.{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
            "cluster": "ingress",
            "metadata": {
                "NAMESPACE": NAMESPACE,
                "INSTANCE_IPS": HOST,
                "CLUSTER_ID": "Kubernetes",
                "LABELS": {"istio": "ingressgateway"},
            },
        },
        "admin": {"address": _address(0)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "istiod"}}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {"clusters": [control_plane]},
    }


def _address(port: int) -> Mapping[str, Any]:
    return {"socket_address": {"address": HOST, "port_value": port}}
