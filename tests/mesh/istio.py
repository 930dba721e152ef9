"""Istio on one machine: its own control plane, which makes of our files what real Envoys do.

A cluster has a proxy beside each pod; here one Envoy is that of all callers, and one is the ingress gateway. What they
do comes from istiod alone, by xDS: routes, time limits, retries, clusters, circuit breakers, endpoints. Listeners are
our own: Istio's would take over the machine's connections.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from services.chassis.addresses import free_port
from services.chassis.testing import eventually
from services.local.child import Child, Program
from services.local.gateway import envoy_binary
from services.local.probe import fetch
from tests.e2e.system import ROOT
from tests.mesh.tools import kustomize, program

API = "type.googleapis.com/envoy"
HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
NAMESPACE = "tabling"
TOLD_SECONDS = 30.0
PROD = ROOT / "k8s" / "overlays" / "prod"
GATEWAY = "gateway"

CONCERNS = ("Service", "VirtualService", "DestinationRule", "Gateway")
"""Kinds that make a caller's proxy what it is. Who may call whom is for the proxy at the other end."""

SIDECAR_OF = "gateway"
INGRESS_ROUTES = f"https.443.https.tabling.{NAMESPACE}"

NO_AGENT = {
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_TELEMETRY_LABEL": "false",
}
"""What only Istio's own build of Envoy knows is left out."""


@cache
def shipped() -> tuple[Mapping[str, Any], ...]:
    """All objects that `kubectl apply --kustomize k8s/overlays/prod` sends."""
    return tuple(each for each in yaml.load_all(kustomize(PROD), yaml.CSafeLoader) if each)


class IstioMesh:
    """istiod and its proxies. Serves inside `async with`; `ports` has the port of 127.0.0.1 for each service.

    What is behind a service is told with `publish`, as Kubernetes would.
    """

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self._folder = folder
        self._objects = folder / "objects"
        self._port = free_port()
        self._open = AsyncExitStack()
        self._published: dict[str, Sequence[str]] = {}
        services = {name: port for name, port in ports.items() if name != GATEWAY}
        self.proxies = [
            Proxy(folder, "sidecar", self._port, [(port, str(_port(name))) for name, port in services.items()])
        ]
        if GATEWAY in ports:
            self.proxies.append(Proxy(folder, "router", self._port, [(ports[GATEWAY], INGRESS_ROUTES)]))

    async def __aenter__(self) -> Self:
        self._objects.mkdir(parents=True)
        self._write("shipped", list(_on_one_machine(shipped())))
        for service in self.ports:
            self.publish(service, [])
        istiod = Child(
            Program(
                name="istiod",
                command=(
                    str(program("istiod")),
                    "--objects",
                    str(self._objects),
                    "--listen",
                    f"127.0.0.1:{self._port}",
                ),
                log=self._folder / "istiod.log",
                answers=self._serves,
                explain=lambda text: text,
                environment={**os.environ, **NO_AGENT},
            )
        )
        for child in (istiod, *(proxy.child for proxy in self.proxies)):
            await child.start()
            self._open.push_async_callback(child.stop)
            await child.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def publish(self, service: str, addresses: Sequence[str]) -> None:
        """From now on these pods, host:port, are behind the service. Each has a host of its own, as pods have."""
        self._published[service] = tuple(addresses)
        hosts = [address.rpartition(":")[0] for address in addresses]
        ports = {int(address.rpartition(":")[2]) for address in addresses}
        self._write(f"pods-of-{service}", [*(_pod(service, host) for host in hosts), _slice(service, hosts, ports)])

    async def told(self) -> None:
        """Return once the proxies know all pods that were published."""
        for proxy in self.proxies:
            await eventually(lambda proxy=proxy: self._knows(proxy), seconds=TOLD_SECONDS)  # type: ignore[misc]

    async def _knows(self, proxy: "Proxy") -> bool:
        known = await fetch(f"{proxy.admin_url}/clusters") or ""
        wanted = (one for name, found in self._published.items() if proxy.asks(name) for one in found)
        return all(f"::{address}::" in known for address in wanted)

    def _write(self, name: str, documents: Sequence[Mapping[str, Any]]) -> None:
        """JSON is YAML, too. The file is there at once and whole."""
        new = self._objects / f"{name}.new"
        new.write_text("\n---\n".join(json.dumps(each) for each in documents), encoding="utf-8")
        new.rename(self._objects / f"{name}.yaml")

    async def _serves(self) -> bool:
        return "serving on" in (self._folder / "istiod.log").read_text()


class Proxy:
    """An Envoy that does what istiod says; `listeners` are ports and the names of the routes for each."""

    def __init__(self, folder: Path, kind: str, istiod: int, listeners: Sequence[tuple[int, str]]) -> None:
        self._is_ingress = kind == "router"
        self._admin = folder / f"{kind}-admin"
        self._config = folder / f"{kind}.json"
        self._text = json.dumps(_bootstrap(kind, istiod, listeners))
        self.child = Child(
            Program(
                name=f"the mesh's {kind}",
                command=(
                    *(str(envoy_binary()), "--config-path", str(self._config), "--concurrency", "1"),
                    *("--log-level", "error", "--disable-hot-restart", "--admin-address-path", str(self._admin)),
                ),
                log=folder / f"{kind}.log",
                answers=self._answers,
                prepare=self._write,
                explain=lambda text: f"its configuration is {self._config}",
            )
        )

    def asks(self, service: str) -> bool:
        """Whether it is the one that callers of a service go through."""
        return self._is_ingress is (service == GATEWAY)

    @property
    def admin_url(self) -> str:
        """Where it tells of itself."""
        return f"http://{self._admin.read_text()}"

    def _write(self) -> None:
        self._config.write_text(self._text, encoding="utf-8")

    async def _answers(self) -> bool:
        """Ready means that it has its clusters and routes from istiod."""
        return self._admin.exists() and await fetch(f"{self.admin_url}/ready") is not None


def _pod(service: str, host: str) -> Mapping[str, Any]:
    """A pod as Istio sees it: its labels decide in which subsets it is."""
    [deployment] = [each for each in shipped() if each["kind"] == "Deployment" and each["metadata"]["name"] == service]
    template = deployment["spec"]["template"]
    metadata = {"name": _name(service, host), "namespace": NAMESPACE, "labels": template["metadata"]["labels"]}
    spec = {"serviceAccountName": template["spec"]["serviceAccountName"], "containers": []}
    # of one that is not ready Istio never tells the proxies, should it hear of it after its EndpointSlice
    ready = {"type": "Ready", "status": "True"}
    status = {"phase": "Running", "conditions": [ready], "podIP": host, "podIPs": [{"ip": host}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _slice(service: str, hosts: Sequence[str], ports: Collection[int]) -> Mapping[str, Any]:
    """What Kubernetes knows of the pods behind a service."""
    [port] = _service(service)["spec"]["ports"]
    labels = {"kubernetes.io/service-name": service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": service, "namespace": NAMESPACE, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": port["name"], "port": number} for number in ports],
        "endpoints": [
            {
                "addresses": [host],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": _name(service, host), "namespace": NAMESPACE},
            }
            for host in hosts
        ],
    }


def _name(service: str, host: str) -> str:
    return f"{service}-{host.replace('.', '-')}"


def _service(name: str) -> Mapping[str, Any]:
    return next(each for each in shipped() if each["kind"] == "Service" and each["metadata"]["name"] == name)


def _port(service: str) -> int:
    return int(_service(service)["spec"]["ports"][0]["port"])


def _on_one_machine(objects: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Those that concern proxies, under the names that callers on this machine use."""
    for each in objects:
        if each["kind"] not in CONCERNS:
            continue
        spec = each["spec"]
        if each["kind"] == "Service":
            spec = spec | {"clusterIP": "127.0.0.1"}
        if each["kind"] == "Gateway":
            spec = spec | {"servers": [server | {"hosts": ["*"]} for server in spec["servers"]]}
        if each["kind"] == "VirtualService" and "gateways" in spec:
            spec = spec | {"hosts": ["*"]}
        yield {**each, "spec": spec}


def _bootstrap(kind: str, istiod: int, listeners: Sequence[tuple[int, str]]) -> Mapping[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3"}
    labels = {"istio": "ingressgateway"} if kind == "router" else {"app.kubernetes.io/name": SIDECAR_OF}
    return {
        "node": {
            "id": f"{kind}~127.0.0.1~{kind}.{NAMESPACE}~{NAMESPACE}.svc.cluster.local",
            "cluster": kind,
            "metadata": {
                "NAMESPACE": NAMESPACE,
                "INSTANCE_IPS": "127.0.0.1",
                "CLUSTER_ID": "Kubernetes",
                "INTERCEPTION_MODE": "NONE",
                "LABELS": labels,
            },
        },
        "admin": {"address": _address("127.0.0.1", 0)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "istiod"}}],
            },
            "cds_config": ads,
        },
        "static_resources": {
            "listeners": [_listener(port, routes, ads) for port, routes in listeners],
            "clusters": [_istiod(istiod)],
        },
    }


def _listener(port: int, routes: str, ads: Mapping[str, Any]) -> Mapping[str, Any]:
    manager = {
        "@type": f"{API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": routes,
        "codec_type": "AUTO",
        "stream_idle_timeout": "0s",
        "rds": {"route_config_name": routes, "config_source": ads},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{API}.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    return {
        "name": routes,
        "address": _address("127.0.0.1", port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _istiod(port: int) -> Mapping[str, Any]:
    options = {"@type": f"type.googleapis.com/{HTTP2}", "explicit_http_config": {"http2_protocol_options": {}}}
    endpoint = {"endpoint": {"address": _address("127.0.0.1", port)}}
    return {
        "name": "istiod",
        "type": "STATIC",
        "typed_extension_protocol_options": {HTTP2: options},
        "load_assignment": {"cluster_name": "istiod", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(host: str, port: int) -> Mapping[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}
