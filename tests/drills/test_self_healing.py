"""Pods that hang, and pods that lose their database or their broker: probes tell which is which."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from services.full.servers import Postgres, Rabbit
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import (
    CancelReceptionRequest,
    CreateReceptionRequest,
    ListReceptionsRequest,
)
from tests.drills.arena import Arenas
from tests.drills.calls import Client
from tests.drills.cluster import Cluster, Shape, running_cluster
from tests.drills.pods import Pod
from tests.drills.restaurants import BY_HAND
from tests.drills.trial import FULL

pytestmark = [pytest.mark.drill, pytest.mark.asyncio(loop_scope="session")]

HEALED_SECONDS = 30.0
SOON_SECONDS = 60.0
PROBES = 2
"""So many probes more are looked at."""

JOINS = 20
JOINING = Shape(replicas=1, gateways=0, services=("reception", "seat", "management"))
ONE_OF_EACH = Shape(replicas=1, gateways=0, services=tuple(PORTS) if FULL else ("reception", "dashboard"))
HANGING = replace(ONE_OF_EACH, module=("-m", "tests.drills.hanging", "services.{}"))


async def test_a_service_whose_event_loop_hangs_is_begun_again_within_thirty_seconds(
    arenas: Arenas, figures: list[str], tmp_path: Path
) -> None:
    async with running_cluster(await arenas.of("postgresql"), tmp_path, HANGING) as cluster:
        await cluster.ready()
        hung = time.monotonic()
        for pod in cluster.pods:
            pod.signal(signal.SIGUSR1)
        await eventually(lambda: all(pod.restarts and pod.ready for pod in cluster.pods), seconds=2 * SOON_SECONDS)
        assert {restart.why for pod in cluster.pods for restart in pod.restarts} == {"liveness failed"}
        figures.append("\n".join(_healing(pod, hung) for pod in cluster.pods))
        if FULL:
            began = [pod.restarts[0].began for pod in cluster.pods]
            assert all(at is not None and at - hung <= HEALED_SECONDS for at in began)


async def test_without_its_database_a_service_is_not_ready_but_alive_and_ready_again_afterwards(
    arenas: Arenas, tmp_path: Path
) -> None:
    async with running_cluster(await arenas.of("postgresql"), tmp_path, ONE_OF_EACH) as cluster:
        await cluster.ready()
        async with _away(arenas.servers.postgres):
            await eventually(lambda: not any(pod.ready for pod in cluster.pods), seconds=SOON_SECONDS)
            await _probed(cluster, lambda pod: pod.told_live)
        await cluster.ready()
        assert not cluster.restarts
        assert all(all(pod.told_live) for pod in cluster.pods)


async def test_without_its_broker_a_service_stays_ready_and_parties_join(arenas: Arenas, tmp_path: Path) -> None:
    arena = await arenas.of("postgresql")
    async with running_cluster(arena, tmp_path, JOINING) as cluster, Client(cluster, arena.record) as client:
        await cluster.ready()
        await _make_room(client)
        async with _away(arenas.servers.rabbit):
            for number in range(JOINS):
                party = Reception(party_size=2, customer=f"customers/broker-{number}", phone="+821000001111")
                request = CreateReceptionRequest(parent=f"stores/{BY_HAND}", reception=party)
                assert await client.change("reception", request) is not None
            await _probed(cluster, lambda pod: pod.told_ready)
            await _probed(cluster, lambda pod: pod.told_live)
        assert not cluster.restarts
        # one probe may be late on a busy machine, which changes nothing
        told = {pod.name: (pod.ready, pod.unready_at, pod.told_ready) for pod in cluster.pods}
        assert all(ready and unready_at is None for ready, unready_at, _ in told.values()), told


async def test_a_service_that_begins_without_its_database_waits_for_it_and_is_not_begun_again(
    arenas: Arenas, tmp_path: Path
) -> None:
    arena = await arenas.of("postgresql")
    async with _away(arenas.servers.postgres) as back, running_cluster(arena, tmp_path, ONE_OF_EACH) as cluster:
        await eventually(lambda: all(pod.started for pod in cluster.pods), seconds=SOON_SECONDS)
        await _probed(cluster, lambda pod: pod.told_live)
        assert not any(pod.ready for pod in cluster.pods)
        await back()
        await cluster.ready()
        assert not cluster.restarts


async def _make_room(client: Client) -> None:
    """Whoever still waits from what was before goes home: the line may be full."""
    states = [Reception.REQUESTED, Reception.WAITING]
    request = ListReceptionsRequest(parent=f"stores/{BY_HAND}", states=states, page_size=500)
    for each in (await client.read("reception", request)).receptions:
        await client.insist("reception", CancelReceptionRequest(name=each.name))


@asynccontextmanager
async def _away(server: Postgres | Rabbit) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """kill -9 of a server, which is away for the length of the block, or until it is called back."""

    async def back() -> None:
        if server.pid is None:
            await asyncio.to_thread(server.start)

    await asyncio.to_thread(server.kill)
    try:
        yield back
    finally:
        await back()


async def _probed(cluster: Cluster, told: Callable[[Pod], Sequence[bool]]) -> None:
    """Return once every pod was probed some more times."""
    for pod in cluster.pods:
        wanted = len(told(pod)) + PROBES
        await eventually(lambda pod=pod, wanted=wanted: len(told(pod)) >= wanted, seconds=SOON_SECONDS)  # type: ignore[misc]


def _healing(pod: Pod, hung: float) -> str:
    [restart] = pod.restarts
    seconds = [f"{at - hung:.1f}" if at else "never" for at in (pod.unready_at, restart.decided, restart.began)]
    return "{} hangs: not ready after {} s, not alive after {} s, begun again after {} s".format(pod.name, *seconds)
