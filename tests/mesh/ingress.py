"""Istio's ingress gateway on one machine: all that it does, its listener too, comes from Istio's own control plane."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis.addresses import free_port
from services.local.child import ended
from tests.mesh.control_plane import Changes, Object, behind, istiod, on_one_machine, write
from tests.mesh.envoy import HOST
from tests.mesh.proxy import Node, Proxy

INGRESS = Node("router", "istio-system", {"istio": "ingressgateway"})


@asynccontextmanager
async def ingress_gateway(folder: Path, objects: Sequence[Object], pods: Mapping[str, int]) -> AsyncIterator[int]:
    """istiod and an Envoy that does what it says, for callers without TLS; the port of 127.0.0.1 where it listens.

    `pods` has the port of the one pod behind each service. Its environment, with the installation's key, is ours.
    """
    port, istiod_port = free_port(), free_port()
    plain = {"port": {"number": port, "name": "http", "protocol": "HTTP"}, "bind": HOST, "hosts": ["*"]}
    changes: Changes = {"Gateway": lambda spec: {"servers": [plain]}, "EnvoyFilter": lambda spec: {}}
    write(folder, "shipped", list(on_one_machine(objects, changes)))
    for service, number in pods.items():
        write(folder, f"pods-of-{service}", list(behind(objects, service, [f"{HOST}:{number}"])))
    children = [istiod(folder, istiod_port), Proxy(folder, INGRESS, istiod_port).child]
    async with ended(children):
        for child in children:
            await child.start()
            await child.ready()
        yield port
