"""A real Envoy with routes of a test's own, which writes a line of JSON for each request."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.chassis.addresses import free_port
from services.chassis.testing import eventually
from services.local.child import Child, Program, ended
from services.local.gateway import command
from services.local.probe import fetch
from tests.mesh.envoy import API, HOST, TAGS, Json, address, listener


@dataclass(frozen=True)
class Logging:
    """Where it listens, what it has written, and where it shows its figures, named as Istio's are."""

    port: int
    log: Path
    figures: str

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
    route_config = {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}
    file.write_text(
        json.dumps(
            {
                "admin": {"address": address(admin)},
                "stats_config": {"stats_tags": TAGS},
                "static_resources": {
                    "listeners": [
                        listener(
                            f"inbound_{port};", port, filters, access_log=[_to(lines, log)], route_config=route_config
                        )
                    ],
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
        yield Logging(port, lines, f"http://{HOST}:{admin}/stats/prometheus")


def _to(lines: Path, log: Json) -> Json:
    own = {"@type": f"{API}.extensions.access_loggers.file.v3.FileAccessLog", "path": str(lines)}
    return {"name": "requests", **log, "typed_config": own | log["typed_config"]}
