"""Servers and processes of a full system that die, hang or misbehave under load: it goes on, and nothing is lost."""

from collections.abc import Sequence
from random import Random

import pytest

from services.chassis.settings import PORTS
from tests.conftest import Kind
from tests.drills.arena import Arenas, FleetDrill
from tests.drills.calls import Client
from tests.drills.fleet import Fleet
from tests.drills.points import Death
from tests.drills.repeater import TIMES, repeating
from tests.drills.trial import FULL, Report
from tests.drills.troubles import (
    dying_for,
    in_turn,
    joined_without,
    killed,
    nothing_but_load,
    poisoned,
    queue_deleted,
    standing_still,
    warm,
)
from tests.drills.wires import broken, doubts, silent, wired

pytestmark = [pytest.mark.drill, pytest.mark.asyncio(loop_scope="session")]

only_in_full = pytest.mark.skipif(not FULL, reason="only when TABLING_DRILLS=full")
on_servers: Sequence[Kind] = ("postgresql", "mariadb")

BROKER_AWAY_SECONDS = 120 if FULL else 10
REPEATED = 600 if FULL else 100
"""Requests answered while every event comes three times."""

POISONED = ("events not applied", "dead letter")


async def test_while_the_broker_is_away_parties_join_and_are_told_of_afterwards(
    arenas: Arenas, reports: list[Report]
) -> None:
    what = f"RabbitMQ kill -9, {BROKER_AWAY_SECONDS} s away"
    drill = FleetDrill(await arenas.of("postgresql"), what)
    trouble = joined_without(arenas.servers.rabbit, BROKER_AWAY_SECONDS)
    _nothing_is_wrong(await drill.live_through(in_turn(trouble)), reports)


@pytest.mark.parametrize("kind", on_servers)
async def test_a_database_server_that_dies_takes_nothing_along(
    kind: Kind, arenas: Arenas, reports: list[Report]
) -> None:
    server = arenas.servers.postgres if kind == "postgresql" else arenas.servers.maria
    times = 3 if FULL else 1
    drill = FleetDrill(await arenas.of(kind), f"database kill -9, {times} times")
    _nothing_is_wrong(await drill.live_through(in_turn(*[killed(server, 1.0)] * times)), reports)


@only_in_full
@pytest.mark.parametrize("kind", ["sqlite", *on_servers])
async def test_a_broker_that_dies_again_and_again_takes_nothing_along(
    kind: Kind, arenas: Arenas, reports: list[Report]
) -> None:
    drill = FleetDrill(await arenas.of(kind), "RabbitMQ kill -9, 3 times")
    _nothing_is_wrong(await drill.live_through(in_turn(*[killed(arenas.servers.rabbit)] * 3)), reports)


@only_in_full
async def test_a_broker_that_stands_still_is_waited_for(arenas: Arenas, reports: list[Report]) -> None:
    drill = FleetDrill(await arenas.of("postgresql"), "RabbitMQ stands still, 20 s")
    _nothing_is_wrong(await drill.live_through(in_turn(standing_still(arenas.servers.rabbit, 20))), reports)


@only_in_full
@pytest.mark.parametrize("kind", on_servers)
async def test_a_database_server_that_stands_still_is_waited_for(
    kind: Kind, arenas: Arenas, reports: list[Report]
) -> None:
    server = arenas.servers.postgres if kind == "postgresql" else arenas.servers.maria
    drill = FleetDrill(await arenas.of(kind), "database stands still, 20 s")
    _nothing_is_wrong(await drill.live_through(in_turn(standing_still(server, 20))), reports)


@only_in_full
async def test_queues_that_are_deleted_come_back_with_nothing_missing(arenas: Arenas, reports: list[Report]) -> None:
    arena = await arenas.of("mariadb")
    consumers = tuple(PORTS) * 2
    drill = FleetDrill(arena, f"queue deleted, {len(consumers)} times")
    troubles = [queue_deleted(arena.bus, consumer) for consumer in consumers]
    _nothing_is_wrong(await drill.live_through(in_turn(*troubles)), reports)


async def test_events_that_come_three_times_and_in_any_order_take_effect_once(
    arenas: Arenas, reports: list[Report]
) -> None:
    arena = await arenas.of("mariadb")

    async def repeated(fleet: Fleet, client: Client) -> None:
        async with repeating(arena.bus, "repeated") as repeater:
            await warm(client, REPEATED)
        assert repeater.messages > 50

    drill = FleetDrill(arena, f"every event {TIMES} times, shuffled")
    _nothing_is_wrong(await drill.live_through(repeated), reports)


@only_in_full
@pytest.mark.parametrize("kind", on_servers)
async def test_a_poisonous_message_holds_up_no_other(kind: Kind, arenas: Arenas, reports: list[Report]) -> None:
    arena = await arenas.of(kind)
    drill = FleetDrill(arena, "poisonous messages, death beside")
    deaths = {"seat": [Death("aside.kept", 1)], "dashboard": [Death("aside.kept", 2)]}
    trouble = in_turn(poisoned(arena.bus))
    _nothing_is_wrong(await drill.live_through(trouble, deaths=deaths, foreseen=POISONED), reports)


@only_in_full
@pytest.mark.parametrize("kind", on_servers)
async def test_two_replicas_of_everything_do_nothing_twice(kind: Kind, arenas: Arenas, reports: list[Report]) -> None:
    drill = FleetDrill(await arenas.of(kind), "two replicas of everything")
    _nothing_is_wrong(await drill.live_through(nothing_but_load(500), replicas=2), reports)


@only_in_full
@pytest.mark.parametrize("kind", on_servers)
async def test_two_replicas_that_are_killed_again_and_again_lose_nothing(
    kind: Kind, arenas: Arenas, reports: list[Report]
) -> None:
    drill = FleetDrill(await arenas.of(kind), "kill -9 of replicas, 60 s")
    _nothing_is_wrong(await drill.live_through(in_turn(dying_for(60, (2.0, 5.0))), replicas=2), reports)


@only_in_full
@pytest.mark.parametrize("kind", ["sqlite", *on_servers])
async def test_one_service_that_is_killed_every_few_seconds_loses_nothing(
    kind: Kind, arenas: Arenas, reports: list[Report]
) -> None:
    service = {"sqlite": "management", "postgresql": "reception", "mariadb": "seat"}[kind]
    drill = FleetDrill(await arenas.of(kind), f"kill -9 of {service}, 60 s")
    _nothing_is_wrong(await drill.live_through(in_turn(dying_for(60, (2.0, 5.0), [service]))), reports)


@only_in_full
@pytest.mark.parametrize("kind", ["sqlite", *on_servers])
async def test_commits_publishes_and_acknowledgements_of_unknown_outcome_take_effect_once(
    kind: Kind, arenas: Arenas, reports: list[Report]
) -> None:
    arena = await arenas.of(kind)
    every = doubts(PORTS, on_servers=kind != "sqlite")
    chosen = Random(kind).sample(every, len(every))
    async with wired(arena) as wires:
        drill = FleetDrill(arena, f"{len(chosen)} outcomes unknown")
        report = await drill.live_through(broken(wires, chosen), environment=wires.environment)
    _nothing_is_wrong(report, reports)


@only_in_full
@pytest.mark.parametrize("kind", on_servers)
async def test_servers_that_fall_silent_for_longer_than_anybody_waits_lose_nothing(
    kind: Kind, arenas: Arenas, reports: list[Report]
) -> None:
    arena = await arenas.of(kind)
    async with wired(arena) as wires:
        drill = FleetDrill(arena, "each wire silent for 7 s")
        report = await drill.live_through(in_turn(silent(wires, 7, kind)), environment=wires.environment)
    _nothing_is_wrong(report, reports)


def _nothing_is_wrong(report: Report, reports: list[Report]) -> None:
    reports.append(report)
    assert not report.findings, report.findings
