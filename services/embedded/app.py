"""The embedded system: five services on one event loop, and the children they need."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import SystemClock
from services.chassis.process import Build
from services.chassis.service import Service
from services.chassis.settings import PORTS, from_environment
from services.dashboard.app import build as dashboard
from services.embedded.demo import seed
from services.embedded.folder import owned
from services.embedded.gateway import Gateway, GatewaySettings
from services.embedded.kakao import kakao
from services.management.app import build as management
from services.notification.app import build as notification
from services.reception.app import build as reception
from services.seat.app import build as seat

DESCRIPTORS = Path(__file__).resolve().parents[2] / "gen" / "tabling.pb"

BUILDS: Mapping[str, Build] = {
    "management": management,
    "seat": seat,
    "reception": reception,
    "dashboard": dashboard,
    "notification": notification,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """What the embedded system must be told. `first_port` is reception's; the others follow in `PORTS`' order."""

    data: Path = Path("data")
    port: int = 8080
    first_port: int = 9101
    kakao_port: int = 9190
    demo: bool = True
    gateway: bool = True
    origins: tuple[str, ...] = ("http://localhost:5173", "http://127.0.0.1:5173")

    @property
    def targets(self) -> dict[str, str]:
        """Service → host:port of its own gRPC server."""
        return {name: f"127.0.0.1:{self.first_port + index}" for index, name in enumerate(PORTS)}


@dataclass(frozen=True, slots=True)
class Ready:
    """The system answers: how long its parts took, in seconds since the start of the process."""

    settings: EmbeddedSettings
    serving_after: float
    ready_after: float


async def up(
    settings: EmbeddedSettings,
    environment: Mapping[str, str],
    stop: asyncio.Event,
    ready: Callable[[Ready], None],
    process_start: float,
) -> None:
    """Run the system until `stop` is set; calls `ready` once everything answers."""
    with owned(settings.data):
        services = _services(settings, environment)
        services_stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(service.run(services_stop)) for service in services]
            try:
                await _unless_failed(running, asyncio.gather(*(service.started.wait() for service in services)))
                serving_after = time.monotonic() - process_start
                async with AsyncExitStack() as children:
                    await _start_children(settings, children)
                    ready(Ready(settings, serving_after, time.monotonic() - process_start))
                    await _unless_failed(running, asyncio.ensure_future(stop.wait()))
            finally:
                services_stop.set()


async def _start_children(settings: EmbeddedSettings, children: AsyncExitStack) -> None:
    starting: list[Any] = [
        children.enter_async_context(kakao(settings.kakao_port, settings.data)),
    ]
    if settings.gateway:
        gateway = GatewaySettings(
            descriptors=DESCRIPTORS,
            upstreams=settings.targets,
            listen_port=settings.port,
            cors_origins=settings.origins,
            reflection_upstream="reception",
        )
        starting.append(children.enter_async_context(Gateway(gateway, settings.data / "gateway")))
    if settings.demo:
        starting.append(seed(settings.targets))
    for start in starting:
        await start


def _services(settings: EmbeddedSettings, environment: Mapping[str, str]) -> list[Service[Any]]:
    given = dict(environment) | {"TABLING_DATA": str(settings.data)}
    given["TABLING_KAKAO_URL"] = f"http://127.0.0.1:{settings.kakao_port}"
    for name, target in settings.targets.items():
        given[f"TABLING_{name.upper()}_LISTEN"] = given[f"TABLING_{name.upper()}_TARGET"] = target
    bus = MemoryBus(BUILDS)
    clock = SystemClock()
    return [build(from_environment(name, given), bus, clock) for name, build in BUILDS.items()]


async def _unless_failed(running: list[asyncio.Task[None]], wanted: asyncio.Future[Any]) -> None:
    """Wait for `wanted`; return as well when a service ends, whose error the task group then raises."""
    await asyncio.wait([wanted, *running], return_when=asyncio.FIRST_COMPLETED)
    wanted.cancel()
