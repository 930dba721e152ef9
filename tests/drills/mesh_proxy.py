"""The proxy of the mesh: one address for each service, behind which it balances over the pods that are ready."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from services.local.child import Child, Program
from services.local.gateway import envoy_binary
from services.local.probe import fetch
from tests.drills.manifest import traffic_policies

API = "type.googleapis.com/envoy"
UNLIMITED = 2**32 - 1
HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Mesh(Protocol):
    """What a cluster needs of it."""

    ports: Mapping[str, int]
    """Service → the port of 127.0.0.1 that stands for it."""

    def publish(self, service: str, addresses: Sequence[str]) -> None:
        """From now on these pods, host:port, are behind the service."""


class MeshProxy:
    """An Envoy that reads from files who is behind each service. Serves inside `async with`.

    Circuit breakers are those of the DestinationRules. gRPC services are balanced call by call; connections to others,
    `plain` ones, are handed on as they are, as the cluster's edge may do.
    """

    def __init__(self, folder: Path, ports: Mapping[str, int], plain: Sequence[str] = ()) -> None:
        self.ports = ports
        self._plain = plain
        self._folder = folder
        self._folder.mkdir()
        self._config = folder / "mesh.json"
        self._admin = folder / "admin-address"
        self.child = Child(
            Program(
                name="the mesh's proxy",
                command=(
                    *(str(envoy_binary()), "--config-path", str(self._config), "--concurrency", "1"),
                    *("--log-level", "warning", "--disable-hot-restart", "--admin-address-path", str(self._admin)),
                ),
                log=folder / "envoy.log",
                answers=self._answers,
                explain=lambda text: f"its configuration is {self._config}",
            )
        )

    async def __aenter__(self) -> Self:
        for service in self.ports:
            self.publish(service, [])
        self._config.write_text(json.dumps(self._configuration()), encoding="utf-8")
        await self.child.start()
        await self.child.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.child.stop()

    @property
    def admin_url(self) -> str:
        """Where it tells of itself."""
        return f"http://{self._admin.read_text()}"

    def publish(self, service: str, addresses: Sequence[str]) -> None:
        places = [address.rpartition(":") for address in addresses]
        endpoints = [
            {"endpoint": {"address": {"socket_address": {"address": host, "port_value": int(port)}}}}
            for host, _, port in places
        ]
        assignment = {
            "@type": f"{API}.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": service,
            "endpoints": [{"lb_endpoints": endpoints}],
        }
        new = self._folder / f"{service}.new"
        new.write_text(json.dumps({"resources": [assignment]}), encoding="utf-8")
        new.rename(self._endpoints(service))

    def _endpoints(self, service: str) -> Path:
        return self._folder / f"{service}.json"

    async def _answers(self) -> bool:
        return self._admin.exists() and await fetch(f"{self.admin_url}/ready") is not None

    def _configuration(self) -> dict[str, Any]:
        policies = traffic_policies()
        clusters = [self._cluster(service, policies[service]) for service in self.ports]
        listeners = [self._listener(service, port) for service, port in self.ports.items()]
        return {
            "node": {"id": "mesh", "cluster": "mesh"},
            "admin": {"address": _address("127.0.0.1", 0)},
            "static_resources": {"listeners": listeners, "clusters": clusters},
        }

    def _listener(self, service: str, port: int) -> dict[str, Any]:
        network = f"{API}.extensions.filters.network"
        if service in self._plain:
            name, config = (
                "tcp_proxy",
                {"@type": f"{network}.tcp_proxy.v3.TcpProxy", "stat_prefix": service, "cluster": service},
            )
        else:
            name, config = "http_connection_manager", _connections(service)
        return {
            "name": service,
            "address": _address("127.0.0.1", port),
            "filter_chains": [{"filters": [{"name": f"envoy.filters.network.{name}", "typed_config": config}]}],
        }

    def _cluster(self, service: str, policy: Mapping[str, Any]) -> dict[str, Any]:
        file = {"path": str(self._endpoints(service))}
        cluster: dict[str, Any] = {
            "name": service,
            "type": "EDS",
            "eds_cluster_config": {"eds_config": {"path_config_source": file, "resource_api_version": "V3"}},
            "lb_policy": policy["loadBalancer"]["simple"],
            **_breakers(policy["connectionPool"]),
            "outlier_detection": _outliers(policy["outlierDetection"]),
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        }
        if service not in self._plain:
            options = {"@type": f"type.googleapis.com/{HTTP2}", "explicit_http_config": {"http2_protocol_options": {}}}
            cluster["typed_extension_protocol_options"] = {HTTP2: options}
        return cluster


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _connections(service: str) -> dict[str, Any]:
    """HTTP as a mesh handles it: a call that nobody saw is sent to another pod."""
    retry = {
        "retry_on": "connect-failure,refused-stream",
        "num_retries": 2,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": f"{API}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                },
            }
        ],
        "host_selection_retry_max_attempts": 5,
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": service, "timeout": "0s", "retry_policy": retry}}
    return {
        "@type": f"{API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": service,
        "codec_type": "AUTO",
        "stream_idle_timeout": "0s",
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{API}.extensions.filters.http.router.v3.Router"},
            }
        ],
        "route_config": {"virtual_hosts": [{"name": service, "domains": ["*"], "routes": [route]}]},
    }


def _breakers(pool: Mapping[str, Any]) -> dict[str, Any]:
    """DestinationRule.connectionPool → Envoy."""
    tcp, http = pool["tcp"], pool["http"]
    thresholds = {
        "max_connections": tcp.get("maxConnections", UNLIMITED),
        "max_pending_requests": http["http1MaxPendingRequests"],
        "max_requests": http["http2MaxRequests"],
        "max_retries": http["maxRetries"],
    }
    return {"connect_timeout": tcp["connectTimeout"], "circuit_breakers": {"thresholds": [thresholds]}}


def _outliers(rule: Mapping[str, Any]) -> dict[str, Any]:
    """DestinationRule.outlierDetection → Envoy."""
    return {
        "enforcing_success_rate": 0,
        "consecutive_5xx": rule["consecutive5xxErrors"],
        "enforcing_consecutive_5xx": 100 if rule["consecutive5xxErrors"] else 0,
        "consecutive_gateway_failure": rule["consecutiveGatewayErrors"],
        "enforcing_consecutive_gateway_failure": 100,
        "split_external_local_origin_errors": rule["splitExternalLocalOriginErrors"],
        "consecutive_local_origin_failure": rule["consecutiveLocalOriginFailures"],
        "enforcing_local_origin_success_rate": 0,
        "interval": rule["interval"],
        "base_ejection_time": rule["baseEjectionTime"],
        "max_ejection_percent": rule["maxEjectionPercent"],
    }
