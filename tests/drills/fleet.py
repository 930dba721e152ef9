"""The full system for a drill: a process for each service, begun again whenever it ends, as an orchestrator would."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from services.chassis.crash import EXIT_CODE
from tests.drills.points import Death
from tests.e2e.callers import Callers, Speaking
from tests.e2e.system import ROOT

READY_SECONDS = 180.0
STOP_SECONDS = 20.0
STRANGE_PAUSE_SECONDS = 0.5
ROUND_ROBIN = '{"loadBalancingConfig": [{"round_robin": {}}]}'


@dataclass
class Replica:
    """One process of a service over all its lives, the deaths that await it, and how its lives ended."""

    service: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    deaths: deque[Death] = field(default_factory=deque)
    ends: list[int] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    stopping: bool = False

    async def serve(self) -> None:
        """Keep it running until it is stopped; each death awaits it once."""
        while not self.stopping:
            armed = {"TABLING_CRASH": "{}:{}".format(*self.deaths[0])} if self.deaths else {}
            with self.log.open("ab") as log:
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable, *self.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **self.environment, **armed},
                )  # fmt: skip
            try:
                code = await self.process.wait()
            finally:
                # cancelled: nobody looks after it any more
                self.signal(signal.SIGKILL)
            self.ends.append(code)
            if code == EXIT_CODE and self.deaths:
                self.deaths.popleft()
            if self.strange_ends:
                await asyncio.sleep(STRANGE_PAUSE_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal while it lives."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(number)

    @property
    def strange_ends(self) -> list[str]:
        """Ends that nobody had in mind."""
        wanted = (EXIT_CODE, -signal.SIGKILL)
        ends = self.ends[:-1] if self.stopping and self.ends and self.ends[-1] == 0 else self.ends
        return [f"{self.service} ended with code {code}" for code in ends if code not in wanted]


class Fleet:
    """All processes, and how to talk to the services among them."""

    def __init__(self, replicas: Iterable[Replica], ports: Mapping[str, Sequence[int]], callers: Callers) -> None:
        self.replicas = list(replicas)
        self._ports = ports
        self._callers = callers

    def channel(self, service: str) -> Any:
        """A gRPC channel to a service, its replicas in turn."""
        options = (("grpc.enable_retries", 0), ("grpc.service_config", ROUND_ROBIN))
        channel = grpc.aio.insecure_channel(target(self._ports[service]), options=options)
        return Speaking(channel, self._callers.told_inside)

    async def ended(self) -> None:
        """Never: there is always somebody who begins the next life."""
        await asyncio.Event().wait()

    def of(self, service: str) -> list[Replica]:
        """A service's processes."""
        return [replica for replica in self.replicas if replica.service == service]

    def kill(self, service: str, number: int = 0) -> None:
        """kill -9."""
        self.of(service)[number].signal(signal.SIGKILL)

    @property
    def awaited(self) -> list[str]:
        """The deaths that have not come yet."""
        return [f"{each.service} at {death}" for each in self.replicas for death in each.deaths]

    @property
    def strange_ends(self) -> list[str]:
        """Ends that nobody had in mind."""
        return [end for replica in self.replicas for end in replica.strange_ends]

    async def ready(self) -> None:
        """Return once every process answers."""

        async def answers(port: int) -> None:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await channel.channel_ready()

        async with asyncio.timeout(READY_SECONDS):
            await asyncio.gather(*(answers(port) for ports in self._ports.values() for port in ports))


@asynccontextmanager
async def running_fleet(
    environment: Mapping[str, str],
    logs: Path,
    kakao: Path,
    ports: Mapping[str, Sequence[int]],
    kakao_port: int,
    deaths: Mapping[str, Sequence[Death]],
    callers: Callers,
) -> AsyncIterator[Fleet]:
    """The fleet for the length of the block. `ports` has one for each replica; `deaths` await the first of each."""
    replicas = [_kakao(kakao, logs, kakao_port)]
    for service, numbers in ports.items():
        replicas += [_replica(service, environment, logs, port, ports) for port in numbers]
    fleet = Fleet(replicas, ports, callers)
    for service, awaiting in deaths.items():
        fleet.of(service)[0].deaths.extend(awaiting)
    async with living(replicas):
        await fleet.ready()
        yield fleet


@asynccontextmanager
async def living(replicas: Sequence[Replica]) -> AsyncIterator[None]:
    """Keeps them running for the length of the block."""
    lives = [asyncio.create_task(replica.serve()) for replica in replicas]
    try:
        yield
    finally:
        await _end(replicas, lives)


async def _end(replicas: Sequence[Replica], lives: Sequence["asyncio.Task[None]"]) -> None:
    for replica in replicas:
        replica.stopping = True
        replica.signal(signal.SIGTERM)
        replica.signal(signal.SIGCONT)
    await asyncio.wait(lives, timeout=STOP_SECONDS)
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)


def target(ports: Sequence[int]) -> str:
    """What gRPC calls several addresses of one service."""
    return "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)


def _replica(
    service: str, environment: Mapping[str, str], logs: Path, port: int, ports: Mapping[str, Sequence[int]]
) -> Replica:
    targets = {f"TABLING_{name.upper()}_TARGET": target(numbers) for name, numbers in ports.items()}
    own = {**environment, **targets, "TABLING_LISTEN": f"127.0.0.1:{port}"}
    return Replica(service, ("-m", f"services.{service}"), own, logs / f"{service}-{port}.log")


def _kakao(folder: Path, logs: Path, port: int) -> Replica:
    command = ("-m", "services.kakao", "--port", str(port), "--data", str(folder))
    return Replica("kakao", command, {}, logs / "kakao.log")
