"""Istio's ingress gateway on one machine: all that it does, its listener too, comes from Istio's own control plane."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis.addresses import free_port
from services.local.child import ended
from tests.mesh.control_plane import Object, behind, istiod, write
from tests.mesh.proxy import HOST, Node, Proxy

CONCERNS = ("Service", "VirtualService", "DestinationRule", "Gateway", "EnvoyFilter")
"""Kinds that make the ingress gateway what it is."""

INGRESS = Node("router", "istio-system", {"istio": "ingressgateway"})


@asynccontextmanager
async def ingress_gateway(folder: Path, objects: Sequence[Object], pods: Mapping[str, int]) -> AsyncIterator[int]:
    """istiod and an Envoy that does what it says, for callers without TLS; the port of 127.0.0.1 where it listens.

    `pods` has the port of the one pod behind each service.
    """
    port, istiod_port = free_port(), free_port()
    write(folder, "shipped", list(_on_one_machine(objects, port)))
    for service, number in pods.items():
        write(folder, f"pods-of-{service}", list(behind(objects, service, [f"{HOST}:{number}"])))
    children = [istiod(folder, istiod_port), Proxy(folder, INGRESS, istiod_port).child]
    async with ended(children):
        for child in children:
            await child.start()
            await child.ready()
        yield port


def _on_one_machine(objects: Sequence[Object], port: int) -> Iterator[Object]:
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
