"""Pods that are replaced, and pods that are killed, while people join, look and watch: nobody notices."""

import signal
from pathlib import Path

import pytest

from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from tests.drills.arena import Arenas
from tests.drills.cluster import Cluster
from tests.drills.cluster_drill import ClusterDrill
from tests.drills.trial import FULL, Report
from tests.drills.visitor import Visitor, asked
from tests.mesh.istio import GATEWAY

pytestmark = [pytest.mark.drill, pytest.mark.asyncio(loop_scope="session")]

ROUNDS = 10 if FULL else 1
BETWEEN = 200 if FULL else 60
"""Requests that end between one thing and the next."""

BACK_SECONDS = 60.0


async def test_while_every_service_and_the_gateway_is_restarted_no_request_fails(
    arenas: Arenas, reports: list[Report], figures: list[str], tmp_path: Path
) -> None:
    async def restart_everything(cluster: Cluster, client: Visitor) -> None:
        for _ in range(ROUNDS):
            for name in (*PORTS, GATEWAY):
                await cluster.deployments[name].restart()
            for deployment in cluster.deployments.values():
                await deployment.gone()
        await asked(client, BETWEEN)

    drill = ClusterDrill(await arenas.of("postgresql"), tmp_path, f"rolling restart of everything, {ROUNDS} times")
    report, noticed = await drill.live_through(restart_everything)
    reports.append(report)
    figures.append(noticed.figures(drill.what))
    assert not report.findings, report.findings
    assert not noticed.restarts
    assert noticed.ends == {0}
    assert not noticed.failures, noticed.failures[:5]
    assert not noticed.watchers.older
    # a gateway that ends may reset its streams before it closes their connection
    assert set(noticed.watchers.codes) <= {"UNAVAILABLE", "INTERNAL"}, noticed.watchers.strange


async def test_a_pod_that_is_killed_fails_no_read_and_its_writes_succeed_once_when_repeated(
    arenas: Arenas, reports: list[Report], figures: list[str], tmp_path: Path
) -> None:
    async def kill_one_of_each(cluster: Cluster, client: Visitor) -> None:
        for name in (*PORTS, GATEWAY):
            pod = cluster.deployments[name].pods[0]
            pod.signal(signal.SIGKILL)
            await eventually(lambda pod=pod: pod.restarts and pod.ready, seconds=BACK_SECONDS)  # type: ignore[misc]
            await asked(client, BETWEEN)

    drill = ClusterDrill(
        await arenas.of("postgresql"), tmp_path, "kill -9 of a pod of every service and of the gateway"
    )
    report, noticed = await drill.live_through(kill_one_of_each)
    reports.append(report)
    figures.append(noticed.figures(drill.what))
    assert not report.findings, report.findings
    assert len(noticed.restarts) == len(PORTS) + 1
    assert not noticed.failed_reads, noticed.failed_reads[:5]
    assert {each.code for each in noticed.failures} <= {"UNAVAILABLE"}
    assert not noticed.watchers.older
