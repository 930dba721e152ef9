"""Istio on one machine: its own control plane, which makes of our files what real Envoys do.

A cluster has a proxy beside each pod; here one Envoy is that of all callers, and one is the ingress gateway. What they
do comes from istiod alone, by xDS: routes, time limits, retries, clusters, circuit breakers, endpoints. Listeners are
our own: Istio's would take over the machine's connections.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from services.chassis.addresses import free_port
from services.chassis.testing import eventually
from services.local.probe import fetch
from tests.e2e.system import ROOT
from tests.mesh.control_plane import Changes, Object, behind, istiod, on_one_machine, write
from tests.mesh.proxy import Node, Proxy
from tests.mesh.tools import kustomize

NAMESPACE = "tabling"
TOLD_SECONDS = 30.0
PROD = ROOT / "k8s" / "overlays" / "prod"
GATEWAY = "gateway"

SIDECAR = Node("sidecar", NAMESPACE, {"app.kubernetes.io/name": GATEWAY})
INGRESS = Node("router", NAMESPACE, {"istio": "ingressgateway"})
INGRESS_ROUTES = f"https.443.https.tabling.{NAMESPACE}"


@cache
def shipped() -> tuple[Object, ...]:
    """All objects that `kubectl apply --kustomize k8s/overlays/prod` sends."""
    return tuple(each for each in yaml.load_all(kustomize(PROD), yaml.CSafeLoader) if each)


class IstioMesh:
    """istiod and its proxies. Serves inside `async with`; `ports` has the port of 127.0.0.1 for each service.

    What is behind a service is told with `publish`, as Kubernetes would.
    """

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self._folder = folder
        self._open = AsyncExitStack()
        self._published: dict[str, Sequence[str]] = {}
        self._port = free_port()
        listeners = [(port, _routes(name)) for name, port in ports.items() if name != GATEWAY]
        self.sidecar = Proxy(folder, SIDECAR, self._port, listeners)
        self._ingress = None
        if GATEWAY in ports:
            self._ingress = Proxy(folder, INGRESS, self._port, [(ports[GATEWAY], INGRESS_ROUTES)])

    async def __aenter__(self) -> Self:
        write(self._folder, "shipped", concerning_proxies())
        for service in self.ports:
            self.publish(service, [])
        proxies = [proxy.child for proxy in (self.sidecar, self._ingress) if proxy]
        for child in (istiod(self._folder, self._port), *proxies):
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
        write(self._folder, f"pods-of-{service}", list(behind(shipped(), service, addresses)))

    async def told(self) -> None:
        """Return once the proxies know all pods that were published."""
        for service in self._published:
            await eventually(lambda service=service: self._knows(service), seconds=TOLD_SECONDS)  # type: ignore[misc]

    async def _knows(self, service: str) -> bool:
        proxy = self._ingress if service == GATEWAY else self.sidecar
        assert proxy
        known = await fetch(f"{proxy.admin_url}/clusters") or ""
        return all(f"::{address}::" in known for address in self._published[service])


def _routes(service: str) -> str:
    """The name of the routes to a service: of all that have its port."""
    [found] = [each for each in shipped() if each["kind"] == "Service" and each["metadata"]["name"] == service]
    return str(found["spec"]["ports"][0]["port"])


def concerning_proxies() -> list[Object]:
    """What makes proxies send what they send, under the names that callers on this machine use.

    Who may call whom is not checked here: proxies have no certificates.
    """
    changes: Changes = {
        "Gateway": lambda spec: {"servers": [server | {"hosts": ["*"]} for server in spec["servers"]]},
        "VirtualService": lambda spec: {"hosts": ["*"]} if "gateways" in spec else {},
        "Sidecar": lambda spec: {},
    }
    return list(on_one_machine(shipped(), changes))
