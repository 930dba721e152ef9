"""The embedded system: five services on one event loop, and the children they need."""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from services.chassis.environment import write as write_environment
from services.chassis.settings import PORTS, Variables
from services.embedded.settings import EmbeddedSettings
from services.local.child import Child, started
from services.local.commands import DESCRIPTORS
from services.local.folder import owned
from services.local.gateway import Gateway
from services.local.gateway_settings import GatewaySettings
from services.local.kakao import kakao
from services.local.keys import Keys
from services.local.keys import of as keys_of
from services.local.ports import require_free

if TYPE_CHECKING:
    from services.chassis.service import Service


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
        keys = keys_of(settings.data)
        environment = {**environment, **keys.environment}
        write_environment(settings.data, {**settings.environment, **keys.environment})
        gateway = _gateway(settings, keys) if settings.gateway else None
        children = [kakao(settings.kakao_port, settings.data), *([gateway.child] if gateway else [])]
        async with started(children):
            await _load(stop)
            if stop.is_set():
                return
            from services.embedded.services import build

            services = build(settings, environment)
            gc.freeze()
            gc.enable()
            metrics_listen = Variables("embedded", environment).optional_address("METRICS_LISTEN")
            start = _Start(settings, keys, services, children, gateway, metrics_listen, process_start)
            await _serve(start, stop, ready)


@dataclass(frozen=True, slots=True)
class _Start:
    """What is starting, and what it has to wait for."""

    settings: EmbeddedSettings
    keys: Keys
    services: "Sequence[Service[Any]]"
    children: Sequence[Child]
    gateway: Gateway | None
    metrics_listen: str
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
                from services.local.demo import seed

                group.create_task(seed(self.settings.targets, self.keys.installation))
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
        if start.metrics_listen:
            from services.chassis.metrics_port import serve_metrics  # a library that is loaded only to be used

            watched = [service.frame.telemetry.metrics for service in start.services]
            others.append(group.create_task(serve_metrics(start.metrics_listen, watched)))
        try:
            await stop.wait()
        finally:
            for task in others:
                task.cancel()
            services_stop.set()


def _gateway(settings: EmbeddedSettings, keys: Keys) -> Gateway:
    wanted = GatewaySettings(
        descriptors=DESCRIPTORS,
        upstreams=settings.targets,
        issuer=keys.issuer,
        key=keys.installation[0],
        listen_port=settings.port,
        cors_origins=settings.origins,
        reflection_upstream="reception",
    )
    return Gateway(wanted, settings.data / "gateway")
