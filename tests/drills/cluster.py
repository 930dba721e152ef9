"""A cluster on one machine: every service as pods, gateways in front, and the mesh's proxy between all of them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from services.chassis.addresses import free_port
from services.chassis.settings import PORTS
from tests.drills.arena import Arena
from tests.drills.deployments import Deployment, NewPod, free_hosts
from tests.drills.fleet import Replica
from tests.drills.manifest import lifecycle_of_gateway, lifecycle_of_services
from tests.drills.pods import Container, Pod
from tests.drills.site import Site
from tests.e2e.callers import Callers, Speaking
from tests.e2e.system import free_ports
from tests.mesh.istio import GATEWAY, IstioMesh

GRPC_PORT, HTTP_PORT = 9000, 8080

OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True)
class Shape:
    """How many pods there are of what, which module each runs, and what else they are told."""

    replicas: int = 2
    gateways: int = 2
    services: Sequence[str] = tuple(PORTS)
    module: Sequence[str] = ("-m", "services.{}")
    environment: Mapping[str, str] | None = None


class Cluster:
    """What runs, and how to talk to it: by the one address of its gateways."""

    def __init__(self, deployments: Mapping[str, Deployment], mesh: IstioMesh, arena: Arena, kakao: Path) -> None:
        self.deployments = deployments
        self.mesh = mesh
        self._arena = arena
        self._kakao = kakao

    @property
    def url(self) -> str:
        """Where the gateways are found."""
        return f"http://127.0.0.1:{self.mesh.ports[GATEWAY]}"

    @property
    def callers(self) -> Callers:
        """Whoever may call it."""
        return self._arena.callers

    def channel(self, service: str) -> Any:
        """A channel to a gateway, on a connection of its own; where there is none, to the service."""
        outside = self.mesh.ports.get(GATEWAY)
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{outside or self.mesh.ports[service]}", options=OWN_CONNECTION)
        return Speaking(channel, self.callers.told if outside else self.callers.told_inside)

    @property
    def pods(self) -> list[Pod]:
        """All pods that are there to stay."""
        return [pod for each in self.deployments.values() for pod in each.pods]

    async def ended(self) -> None:
        """Never: the kubelets begin again what ends."""
        await asyncio.Event().wait()

    @property
    def site(self) -> Site:
        """Where the services leave their traces."""
        pods = [pod for name in PORTS if name in self.deployments for pod in self.deployments[name].all]
        return Site(self._arena.addresses, self._kakao, [pod.container.log for pod in pods], self._arena.bus)

    async def ready(self) -> None:
        """Return once every pod is ready, and the mesh knows it."""
        await asyncio.gather(*(each.ready() for each in self.deployments.values()))
        await self.mesh.told()

    @property
    def ends(self) -> set[int | None]:
        """The exit codes of the pods that were taken away."""
        gone = [pod for each in self.deployments.values() for pod in each.all if pod.deleted]
        return {pod.process.returncode for pod in gone if pod.process}

    @property
    def restarts(self) -> list[str]:
        """Containers that were begun again, and why."""
        pods = [pod for each in self.deployments.values() for pod in each.all]
        return [f"{pod.name}: {restart.why}" for pod in pods for restart in pod.restarts]


@asynccontextmanager
async def running_cluster(arena: Arena, folder: Path, shape: Shape = Shape()) -> AsyncIterator[Cluster]:
    """A cluster for the length of the block, on an arena's databases and broker; its pods are begun, not awaited."""
    kakao = arena.folder / "kakao"
    first = free_ports(len(PORTS) + 2)
    ports = dict(zip((*shape.services, GATEWAY), itertools.count(first), strict=False))
    if not shape.gateways:
        ports.pop(GATEWAY)
    kakao_port = first + len(PORTS) + 1
    async with AsyncExitStack() as stack:
        mesh = await stack.enter_async_context(IstioMesh(folder / "mesh", ports))
        await stack.enter_async_context(_kakao(kakao, folder, kakao_port))
        environment = _environment(arena, mesh, kakao_port, shape)
        makers = {name: _service(name, folder, environment, shape) for name in shape.services}
        counts = dict.fromkeys(makers, shape.replicas)
        if shape.gateways:
            makers[GATEWAY], counts[GATEWAY] = _gateway(folder, environment), shape.gateways
        deployments = {
            name: Deployment(name, maker, lambda addresses, name=name: mesh.publish(name, addresses))  # type: ignore[misc]
            for name, maker in makers.items()
        }
        for name, deployment in deployments.items():
            stack.push_async_callback(deployment.end)
            deployment.scale(counts[name])
        yield Cluster(deployments, mesh, arena, kakao)


def _environment(arena: Arena, mesh: IstioMesh, kakao_port: int, shape: Shape) -> Mapping[str, str]:
    given = {f"TABLING_{name.upper()}_TARGET": f"127.0.0.1:{port}" for name, port in mesh.ports.items()}
    given |= {f"TABLING_{name.upper()}_DATABASE": address for name, address in arena.addresses.items()}
    given |= {"TABLING_BUS": arena.bus, "TABLING_KAKAO_URL": f"http://127.0.0.1:{kakao_port}"}
    keys = arena.callers.keys
    given |= {**keys.environment, "TABLING_GATEWAY_JWKS": str(keys.jwks)}
    return given | dict(shape.environment or {})


def _service(name: str, folder: Path, environment: Mapping[str, str], shape: Shape) -> NewPod:
    life, numbers = lifecycle_of_services(), itertools.count(1)
    arguments = [part.format(name) for part in shape.module]

    def new_pod(changed: Callable[[], None]) -> Pod:
        host, own = next(_HOSTS), f"{name}-{next(numbers)}"
        listening = {**environment, "TABLING_LISTEN": f"{host}:{GRPC_PORT}"}
        container = Container(arguments, listening, folder / f"{own}.log")
        return Pod(own, host, GRPC_PORT, container, life, changed)

    return new_pod


def _gateway(folder: Path, environment: Mapping[str, str]) -> NewPod:
    life, numbers = lifecycle_of_gateway(), itertools.count(1)

    def new_pod(changed: Callable[[], None]) -> Pod:
        host, own = next(_HOSTS), f"{GATEWAY}-{next(numbers)}"
        # pods have a 127.0.0.1 of their own; here they share one
        apart = {"TABLING_GATEWAY_LISTEN": f"{host}:{HTTP_PORT}", "TABLING_GATEWAY_ADMIN_PORT": str(free_port())}
        told = {**life.environment, **environment, **apart}
        container = Container(("-m", "services.local.gateway_main"), told, folder / f"{own}.log")
        return Pod(own, host, HTTP_PORT, container, life, changed)

    return new_pod


_HOSTS = free_hosts(GRPC_PORT, HTTP_PORT)
"""Addresses that no pod of this process ever had: one that has gone may be known to somebody. Nor do pods of different
kinds share one: a mesh knows them by their addresses."""


@asynccontextmanager
async def _kakao(data: Path, logs: Path, port: int) -> AsyncIterator[None]:
    command = ("-m", "services.kakao", "--port", str(port), "--data", str(data))
    replica = Replica("kakao", command, {}, logs / "kakao.log")
    life = asyncio.create_task(replica.serve())
    try:
        yield
    finally:
        replica.stopping = True
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
