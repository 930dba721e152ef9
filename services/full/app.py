"""The full system: what it consists of, in which order it starts and stops."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.chassis.environment import write as write_environment
from services.chassis.settings import PORTS
from services.full.infrastructure import Infrastructure
from services.full.processes import migrate, own, service
from services.full.settings import FullSettings
from services.local import certificates
from services.local.child import Child, ended, started
from services.local.commands import DESCRIPTORS
from services.local.demo import seed
from services.local.folder import owned
from services.local.gateway import Gateway
from services.local.gateway_settings import GatewaySettings
from services.local.kakao import kakao
from services.local.keys import Keys
from services.local.keys import of as keys_of
from services.local.ports import require_free


@dataclass(frozen=True, slots=True)
class Ready:
    """The system answers: where its servers are, and how long it took, in seconds since the start of the process."""

    settings: FullSettings
    addresses: Mapping[str, str]
    servers_after: float
    ready_after: float


async def up(
    settings: FullSettings,
    environment: Mapping[str, str],
    stop: asyncio.Event,
    ready: Callable[[Ready], None],
    process_start: float,
) -> None:
    """Run the system until `stop` is set; calls `ready` once everything answers.

    `process_start` is in monotonic seconds. Raises `CannotRun`.
    """
    with owned(settings.data):
        await require_free(settings.listeners)
        system = asyncio.create_task(_System(settings, environment, ready, process_start).run())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([system, stopping], return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            system.cancel()
        stopping.cancel()
        await asyncio.wait([system])
        if not system.cancelled():
            system.result()


class _System:
    def __init__(
        self,
        settings: FullSettings,
        environment: Mapping[str, str],
        ready: Callable[[Ready], None],
        process_start: float,
    ) -> None:
        self._settings = settings
        self._ready = ready
        self._process_start = process_start
        self._infrastructure = Infrastructure(settings.data, environment)
        self._keys = keys_of(settings.data)
        self._told = {**_told(settings), **self._infrastructure.addresses, **self._keys.environment}
        self._environment = {**environment, **self._told}
        logs = settings.data / "logs"
        self._logs = logs
        self._services = [service(process, self._environment, logs) for process in settings.processes]
        self._gateway = _gateway(settings, self._keys)
        self._kakao = kakao(settings.kakao_port, settings.data)

    async def run(self) -> None:
        """Start everything and look after it until cancelled; then stop it, those that ask before those that answer."""
        try:
            async with (
                started([self._kakao]),
                ended(self._services),
                started([self._gateway.child]),
                asyncio.TaskGroup() as group,
            ):
                bus = group.create_task(self._infrastructure.start_bus())
                await self._infrastructure.start_databases()
                write_environment(self._settings.data, self._told)
                await migrate(list(PORTS), self._environment, self._logs)
                for child in self._services:
                    await child.start()
                await bus
                await self._keep_running(servers_after=self._age())
        finally:
            await self._infrastructure.stop()

    async def _keep_running(self, servers_after: float) -> None:
        children: list[Child] = [self._kakao, self._gateway.child, *self._services]
        async with asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(child.keep_running())
            group.create_task(self._infrastructure.keep_running())
            group.create_task(certificates.keep(self._settings.data))
            for child in children:
                await child.answering.wait()
            await self._gateway.serving()
            if self._settings.demo:
                targets = {target: places.partition(",")[0] for target, places in self._settings.targets.items()}
                await seed(targets, self._keys.installation)
            self._ready(Ready(self._settings, self._infrastructure.addresses, servers_after, self._age()))

    def _age(self) -> float:
        return time.monotonic() - self._process_start


def _told(settings: FullSettings) -> dict[str, str]:
    """What every process, and who types commands beside them, must know of the others."""
    told = {"TABLING_DATA": str(settings.data), "TABLING_KAKAO_URL": settings.kakao_url}
    for name, places in settings.targets.items():
        # gRPC's way to name several
        told[f"TABLING_{name.upper()}_TARGET"] = f"ipv4:{places}" if "," in places else places
    for process in settings.processes[: len(PORTS)]:
        told |= own(process)
    return told


def _gateway(settings: FullSettings, keys: Keys) -> Gateway:
    wanted = GatewaySettings(
        descriptors=DESCRIPTORS,
        upstreams=settings.targets,
        issuer=keys.issuer,
        key=keys.installation[0],
        listen_port=settings.port,
        certificate=certificates.of(settings.data),
        cors_origins=settings.origins,
        reflection_upstream="reception",
    )
    return Gateway(wanted, settings.data / "gateway")
