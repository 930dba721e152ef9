"""An Envoy that does what Istio's control plane says, as the proxy beside a pod or as an ingress gateway."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.local.child import Child, Program
from services.local.gateway import envoy_binary
from services.local.probe import fetch
from tests.mesh.envoy import HOST, Json, address, cluster, listener

ADS = {"ads": {}, "resource_api_version": "V3"}


@dataclass(frozen=True)
class Node:
    """Who asks: by kind ("sidecar", "router"), namespace and labels istiod decides what it is told.

    With the name and the address of a pod, it is also told what comes in there. `interception` is how it gets the pod's
    connections: "REDIRECT" is Istio's own way; by "NONE" only those to where it listens itself.
    """

    kind: str
    namespace: str
    labels: Mapping[str, str]
    pod: str = ""
    host: str = HOST
    interception: str = "REDIRECT"


class Proxy:
    """An Envoy with clusters, routes and endpoints from istiod; the rest depends on `listeners`.

    They are ports of 127.0.0.1, each with the name of its routes; if none are given, they come from istiod, too.
    """

    def __init__(self, folder: Path, node: Node, istiod: int, listeners: Sequence[tuple[int, str]] = ()) -> None:
        self._own_listeners = bool(listeners)
        self._admin = folder / f"{node.kind}-admin"
        self._config = folder / f"{node.kind}.json"
        self._text = json.dumps(_bootstrap(node, istiod, listeners))
        self.child = Child(
            Program(
                name=f"the mesh's {node.kind}",
                command=(
                    *(str(envoy_binary()), "--config-path", str(self._config), "--concurrency", "1"),
                    *("--log-level", "error", "--disable-hot-restart", "--admin-address-path", str(self._admin)),
                ),
                log=folder / f"{node.kind}.log",
                answers=self._answers,
                prepare=self._write,
                explain=lambda text: f"its configuration is {self._config}",
            )
        )

    @property
    def is_up(self) -> bool:
        """Whether it can be asked of itself."""
        return self._admin.exists()

    @property
    def admin_url(self) -> str:
        """Where it tells of itself."""
        return f"http://{self._admin.read_text()}"

    def _write(self) -> None:
        self._config.write_text(self._text, encoding="utf-8")

    async def _answers(self) -> bool:
        """Ready means that it has its clusters and routes from istiod."""
        if not self.is_up or await fetch(f"{self.admin_url}/ready") is None:
            return False
        return self._own_listeners or ":" in (await fetch(f"{self.admin_url}/listeners") or "")


def _bootstrap(node: Node, istiod: int, listeners: Sequence[tuple[int, str]]) -> Json:
    ads_config = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "istiod"}}],
    }
    pod = f"{node.pod or node.kind}.{node.namespace}"
    return {
        "node": {
            "id": f"{node.kind}~{node.host}~{pod}~{node.namespace}.svc.cluster.local",
            "cluster": node.kind,
            "metadata": {
                "NAMESPACE": node.namespace,
                "INSTANCE_IPS": node.host,
                "CLUSTER_ID": "Kubernetes",
                "INTERCEPTION_MODE": node.interception if node.pod else "NONE",
                "LABELS": node.labels,
            },
        },
        "admin": {"address": address(0)},
        "dynamic_resources": {"ads_config": ads_config, "cds_config": ADS} | ({} if listeners else {"lds_config": ADS}),
        "static_resources": {
            "listeners": [_routed_by_istiod(port, routes) for port, routes in listeners],
            "clusters": [cluster("istiod", istiod)],
        },
    }


def _routed_by_istiod(port: int, routes: str) -> Json:
    rds = {"route_config_name": routes, "config_source": ADS}
    return listener(routes, port, rds=rds, stream_idle_timeout="0s")
