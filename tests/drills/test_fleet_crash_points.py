"""Whatever step any service of a full system dies at, on whichever databases: nothing is lost or happens twice."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import pytest

from services.chassis.settings import PORTS
from tests.conftest import Kind
from tests.drills.arena import Arenas, FleetDrill
from tests.drills.points import Death, crash_points, death, family
from tests.drills.trial import FULL, Report

pytestmark = [pytest.mark.drill, pytest.mark.asyncio(loop_scope="session")]

KINDS: Sequence[Kind] = ("sqlite", "postgresql", "mariadb")

PASSED_BY: Mapping[str, Sequence[str]] = {
    "commit": tuple(PORTS),
    "consumer": tuple(PORTS),
    "relay": ("reception", "seat", "management"),
    "timer": ("seat", "management"),
    "sender": ("notification",),
}
"""Which services pass the points of a family; that of `aside` is only passed with poison."""

LATEST = {"commit": 40, "consumer": 40, "relay": 20, "timer": 3, "sender": 4}
"""Up to which passing each of them surely gets within some seconds."""

AFTER_A_DEATH = {"relay.claimed": "relay.before_publish"}
"""Points that are passed only by who takes up what another death left."""

Chains = Mapping[str, Sequence[Death]]
"""For each service the deaths it dies, one life after the other; all services at the same time."""


def chain(point: str, choice: object) -> list[Death]:
    """The death at a point, perhaps after another one."""
    if before := AFTER_A_DEATH.get(point):
        return [death(before, LATEST[family(before)], choice), Death(point, 1)]
    return [death(point, LATEST[family(point)], choice)]


def once(points: Sequence[str], choice: int) -> Chains:
    """Each point in one of the services that pass it, in whichever has died least."""
    found: dict[str, list[Death]] = {service: [] for service in PORTS}
    for point in sorted(points, key=lambda point: len(PASSED_BY[family(point)])):
        services = PASSED_BY[family(point)]
        turned = [*services[choice % len(services) :], *services[: choice % len(services)]]
        service = min(turned, key=lambda service: len(found[service]))
        found[service] += chain(point, (service, choice))
    return found


def everywhere(points: Sequence[str]) -> Chains:
    """Each point in all services that pass it."""
    return {
        service: [each for point in points if service in PASSED_BY[family(point)] for each in chain(point, service)]
        for service in PORTS
    }


def cases() -> Iterator[tuple[Kind, str, Chains]]:
    """Each point on one kind of databases; in full every point in every service on each kind, and all in one go."""
    points = [point for point in crash_points(on_broker=True) if family(point) in PASSED_BY]
    for number, kind in enumerate(KINDS):
        if FULL:
            yield from ((kind, f"{name}.*", everywhere(list(some))) for name, some in groupby(points, family))
            yield from ((kind, f"every point, {choice}", once(points, choice)) for choice in range(2))
        else:
            yield kind, "every third point", once(points[number :: len(KINDS)], number)


@pytest.mark.parametrize(
    ("kind", "what", "deaths"), [pytest.param(*case, id=f"{case[0]} {case[1]}") for case in cases()]
)
async def test_services_that_die_at_a_step_lose_nothing_and_do_nothing_twice(
    kind: Kind, what: str, deaths: Chains, arenas: Arenas, reports: list[Report]
) -> None:
    report = await FleetDrill(await arenas.of(kind), what).die(deaths)
    reports.append(report)
    assert not report.findings, report.findings
