"""Pieces of an Envoy's configuration, on ports of this machine."""

from collections.abc import Mapping, Sequence
from typing import Any

API = "type.googleapis.com/envoy"
HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
HOST = "127.0.0.1"

Json = Mapping[str, Any]

TAGS = [
    {"tag_name": "cluster_name", "regex": r"^cluster(\.(.+);)"},
    {
        "tag_name": "http_conn_manager_prefix",
        "regex": r"^http\.(((?:[_.[:digit:]\w]*|[_\[\]aAbBcCdDeEfF[:digit:]\w\:]*));\.)",
    },
    {"tag_name": "authz_enforce_result", "regex": r"rbac(\.(allowed|denied))"},
]
"""What Istio's proxies take out of the names of their figures, as labels: those of them that we ask for."""


def listener(name: str, port: int, filters: Sequence[Json] = (), **manager: Any) -> Json:
    """HTTP, for which `manager` has the routes and what else there is; its filters, and last the router."""
    router = {"name": "router", "typed_config": {"@type": f"{API}.extensions.filters.http.router.v3.Router"}}
    http = {
        "@type": f"{API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "AUTO",
        "http_filters": [*filters, router],
        **manager,
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]}
    return {"name": name, "address": address(port), "filter_chains": [chain]}


def cluster(name: str, *ports: int, **more: Any) -> Json:
    """Servers on those ports that are spoken to in HTTP/2."""
    endpoints = [{"endpoint": {"address": address(port)}} for port in ports]
    options = {"@type": f"type.googleapis.com/{HTTP2}", "explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "name": name,
        "type": "STATIC",
        "typed_extension_protocol_options": {HTTP2: options},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        **more,
    }


def address(port: int) -> Json:
    return {"socket_address": {"address": HOST, "port_value": port}}
