"""The proxy beside a pod, where calls come in, as Istio's control plane makes it of the files that are shipped."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.chassis.addresses import free_port
from services.chassis.settings import PORTS
from services.local.child import ended
from services.local.probe import fetch
from tests.mesh.control_plane import behind, istiod, write
from tests.mesh.istio import GATEWAY, NAMESPACE, concerning_proxies, shipped
from tests.mesh.proxy import Node, Proxy

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio]

POD = "127.0.0.2"
NO_LIMIT = 2**32 - 1
OF = {**dict.fromkeys(PORTS, 9000), GATEWAY: 8080}


@pytest.mark.parametrize("service", OF)
async def test_it_lets_in_whatever_all_callers_send_together(tmp_path: Path, service: str) -> None:
    """Callers' breakers are for each of them; and who watches would use up what is there for calls."""
    [way_in] = [each for each in await _clusters(tmp_path, service) if each["name"] == f"inbound|{OF[service]}||"]
    assert {each["max_requests"] for each in way_in["circuit_breakers"]["thresholds"]} == {NO_LIMIT}
    assert {each["max_pending_requests"] for each in way_in["circuit_breakers"]["thresholds"]} == {NO_LIMIT}
    assert {each["max_connections"] for each in way_in["circuit_breakers"]["thresholds"]} == {NO_LIMIT}


async def _clusters(folder: Path, service: str) -> list[dict[str, Any]]:
    """What the proxy beside a pod of the service is told of everybody that it may send to."""
    port = free_port()
    pods = list(behind(shipped(), service, [f"{POD}:{OF[service]}"]))
    write(folder, "shipped", concerning_proxies())
    write(folder, "pods", pods)
    node = Node("sidecar", NAMESPACE, pods[0]["metadata"]["labels"], pods[0]["metadata"]["name"], POD)
    # not Istio's listeners: they would take over the machine's connections
    proxy = Proxy(folder, node, port, [(free_port(), "9101")])
    children = [istiod(folder, port), proxy.child]
    async with ended(children):
        for child in children:
            await child.start()
            await child.ready()
        told = json.loads(await fetch(f"{proxy.admin_url}/config_dump?resource=dynamic_active_clusters") or "{}")
        return [each["cluster"] for each in told["configs"]]
