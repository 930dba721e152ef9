"""The embedded system: five services on one event loop, and the children they need."""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.chassis.settings import PORTS
from services.embedded.child import Child, started
from services.embedded.folder import owned
from services.embedded.gateway import Gateway, GatewaySettings
from services.embedded.kakao import kakao
from services.embedded.ports import require_free
from services.embedded.settings import EmbeddedSettings

if TYPE_CHECKING:
    from services.chassis.service import Service

DESCRIPTORS = Path(__file__).resolve().parents[2] / "gen" / "tabling.pb"


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
    """Run the system until `stop` is set; calls `ready` once everything answers.

    `process_start` is in monotonic seconds. Raises `CannotRun`, `ServiceFailed`.
    """
    with owned(settings.data):
        await require_free(settings.listeners)
        gateway = _gateway(settings) if settings.gateway else None
        children = [kakao(settings.kakao_port, settings.data), *([gateway.child] if gateway else [])]
        async with started(children):
            await _load(stop)
            if stop.is_set():
                return
            from services.embedded.services import build

            services = build(settings, environment)
            gc.freeze()
            gc.enable()
            start = _Start(settings, services, children, gateway, process_start)
            await _serve(start, stop, ready)


@dataclass(frozen=True, slots=True)
class _Start:
    """What is starting, and what it has to wait for."""

    settings: EmbeddedSettings
    services: "Sequence[Service[Any]]"
    children: Sequence[Child]
    gateway: Gateway | None
    process_start: float

    async def ready(self) -> Ready:
        """Seed the demo, and return once everything answers."""
        for service in self.services:
            await service.started.wait()
        serving_after = time.monotonic() - self.process_start
        async with asyncio.TaskGroup() as group:
            for child in self.children:
                group.create_task(child.answering.wait())
            if self.gateway:
                group.create_task(self.gateway.serving())
            if self.settings.demo:
                from services.embedded.demo import seed

                group.create_task(seed(self.settings.targets))
        return Ready(self.settings, serving_after, time.monotonic() - self.process_start)


async def _load(stop: asyncio.Event) -> None:
    """Load the services' code, which takes longest of all: late, so that the children start meanwhile."""
    for name in PORTS:
        import_module(f"services.{name}.app")
        await asyncio.sleep(0)  # lets a Ctrl-C in
        if stop.is_set():
            return


async def _serve(start: _Start, stop: asyncio.Event, ready: Callable[[Ready], None]) -> None:
    async def tell() -> None:
        ready(await start.ready())

    services_stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for service in start.services:
            group.create_task(service.run(services_stop))
        others = [group.create_task(child.keep_running()) for child in start.children]
        others.append(group.create_task(tell()))
        try:
            await stop.wait()
        finally:
            for task in others:
                task.cancel()
            services_stop.set()


def _gateway(settings: EmbeddedSettings) -> Gateway:
    wanted = GatewaySettings(
        descriptors=DESCRIPTORS,
        upstreams=settings.targets,
        listen_port=settings.port,
        cors_origins=settings.origins,
        reflection_upstream="reception",
    )
    return Gateway(wanted, settings.data / "gateway")
