"""A real Envoy with routes of a test's own, which writes a line of JSON for each request."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.chassis.addresses import free_port
from services.chassis.testing import eventually
from services.local.child import Child, Program, ended
from services.local.gateway import command
from services.local.probe import fetch

API = "type.googleapis.com/envoy"
HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
HOST = "127.0.0.1"

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Logging:
    """Where it listens, and what it has written."""

    port: int
    log: Path

    def lines(self) -> list[dict[str, str]]:
        """Every line so far; what is not there is a dash."""
        if not self.log.exists():
            return []
        return [
            {name: "-" if value is None else str(value) for name, value in json.loads(line).items()}
            for line in self.log.read_text("utf-8").splitlines()
        ]

    async def line(self, **wanted: str) -> dict[str, str]:
        """The line that has these fields, once it is written."""
        return await eventually(  # type: ignore[no-any-return]
            lambda: next((each for each in self.lines() if wanted.items() <= each.items()), None)
        )


@asynccontextmanager
async def logging_proxy(
    folder: Path, routes: Sequence[Json], clusters: Sequence[Json], log: Json, filters: Sequence[Json] = ()
) -> AsyncIterator[Logging]:
    """Serves; `log` is Envoy's access log but for its path, and is put beside the format of the lines."""
    port, admin, file, lines = free_port(), free_port(), folder / "envoy.json", folder / "requests.log"
    file.write_text(
        json.dumps(
            {
                "admin": {"address": address(admin)},
                "static_resources": {
                    "listeners": [_listener(port, routes, filters, _to(lines, log))],
                    "clusters": clusters,
                },
            }
        ),
        encoding="utf-8",
    )

    async def answers() -> bool:
        return await fetch(f"http://{HOST}:{admin}/ready") is not None

    child = Child(
        Program(
            name="the proxy",
            command=command(file, 1),
            log=folder / "envoy.log",
            answers=answers,
            explain=lambda text: text,
        )
    )
    async with ended([child]):
        await child.start()
        await child.ready()
        yield Logging(port, lines)


def _to(lines: Path, log: Json) -> Json:
    own = {"@type": f"{API}.extensions.access_loggers.file.v3.FileAccessLog", "path": str(lines)}
    return {"name": "requests", **log, "typed_config": own | log["typed_config"]}


def _listener(port: int, routes: Sequence[Json], filters: Sequence[Json], log: Json) -> Json:
    router = {"name": "router", "typed_config": {"@type": f"{API}.extensions.filters.http.router.v3.Router"}}
    manager = {
        "@type": f"{API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "codec_type": "AUTO",
        "access_log": [log],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, router],
    }
    return {"address": address(port), "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}


def cluster(name: str, *ports: int, **more: Any) -> Json:
    """Pods on ports of this machine that are spoken to in HTTP/2."""
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
