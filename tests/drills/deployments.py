"""Deployments: so many pods of one kind, where they are told to others, and their rolling update."""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator

from services.chassis.addresses import why_not
from services.chassis.testing import eventually
from tests.drills.manifest import surge
from tests.drills.pods import Pod

READY_SECONDS = 120.0
GONE_SECONDS = 60.0

NewPod = Callable[[Callable[[], None]], Pod]
"""Makes a pod that has not begun; it calls what it is given whenever it is ready, or no more."""


class Deployment:
    """So many pods of one kind; `publish` gets the addresses of those that are ready whenever there are others."""

    def __init__(self, name: str, new_pod: NewPod, publish: Callable[[list[str]], None]) -> None:
        self.name = name
        self._new_pod = new_pod
        self._publish = publish
        self.all: list[Pod] = []
        self._lives: list[asyncio.Task[None]] = []

    @property
    def pods(self) -> list[Pod]:
        """Those that are there to stay."""
        return [pod for pod in self.all if not pod.deleted]

    def scale(self, replicas: int) -> None:
        """Begin as many pods as are missing, or take away the oldest ones."""
        for _ in range(replicas - len(self.pods)):
            pod = self._new_pod(self._changed)
            self.all.append(pod)
            self._lives.append(asyncio.create_task(pod.serve(), name=pod.name))
        for pod in self.pods[:-replicas] if replicas else self.pods:
            pod.delete()

    async def ready(self) -> None:
        """Return once every pod is ready."""
        await eventually(lambda: self._look() and all(pod.ready for pod in self.pods), seconds=READY_SECONDS)

    async def restart(self) -> None:
        """`kubectl rollout restart` and `status`: returns once all pods are new ones; old ones may still be ending."""
        old = self.pods
        for first in range(0, len(old), surge()):
            leaving = old[first : first + surge()]
            self.scale(len(self.pods) + len(leaving))
            await self.ready()
            for pod in leaving:
                pod.delete()

    async def gone(self) -> None:
        """Return once no pod is ending any more."""
        staying = set(self.pods)
        ending = [life for pod, life in zip(self.all, self._lives, strict=True) if pod not in staying]
        if ending:
            async with asyncio.timeout(GONE_SECONDS):
                await asyncio.gather(*ending)

    async def end(self) -> None:
        """Kill whatever is left."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    def _look(self) -> bool:
        """True; raises what a kubelet raised."""
        for life in self._lives:
            if life.done() and not life.cancelled():
                life.result()
        return True

    def _changed(self) -> None:
        self._publish([pod.address for pod in self.pods if pod.ready])


def free_hosts(*ports: int) -> Iterator[str]:
    """Addresses of this machine on which those ports are free: a pod has one of its own.

    Of tests that run side by side each worker has a range for itself.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for number in itertools.count(1):
        host = f"127.0.{1 + worker * 8 + number // 250}.{1 + number % 250}"
        if not any(why_not(f"{host}:{port}") for port in ports):
            yield host
