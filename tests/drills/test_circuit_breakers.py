"""The circuit breakers that are shipped, as Istio's control plane makes Envoy work them, between real processes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.chassis.callers import as_principal
from services.chassis.database.address import parse
from services.chassis.testing import eventually
from tabling.seat.v1.seat_service_pb2 import GetTableRequest
from tests.drills.arena import Arena, Arenas
from tests.drills.breaker_kit import ASKING_SECONDS, Answers, Breakers, running_breakers
from tests.drills.trial import FULL
from tests.mesh.istio import shipped

pytestmark = [pytest.mark.drill, pytest.mark.asyncio(loop_scope="session")]

A_SECOND, PER_SECOND = 1.0, 50
A_WHILE = 30.0 if FULL else 10.0
BUSY_SECONDS = 0.2
LOST_SECONDS = 5.0
"""After so long a statement of seat that waits is lost."""


@pytest.fixture(scope="module")
def policy() -> Any:
    """What is shipped for calls of seat."""
    [rule] = (each for each in shipped() if each["kind"] == "DestinationRule" and each["metadata"]["name"] == "seat")
    return rule["spec"]["trafficPolicy"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def arena(arenas: Arenas, tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """Databases of the breakers' own."""
    return await asyncio.to_thread(Arena, "postgresql", arenas.servers, tmp_path_factory.mktemp("arena") / "breakers")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(arena: Arena, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakers]:
    async with running_breakers(arena, tmp_path_factory.mktemp("breakers")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def breakers(running: Breakers) -> Breakers:
    """Everything well, whatever was before."""
    await running.well()
    return running


async def test_a_seat_that_hangs_is_ejected_and_comes_back_when_it_is_well(
    breakers: Breakers, policy: Any, figures: list[str]
) -> None:
    ill = breakers.processes[0]
    ill.signal(signal.SIGSTOP)
    meanwhile = await Answers().steadily(breakers.check, PER_SECOND, 2 * A_SECOND)
    assert await breakers.ejected() == [breakers.seats[0]]
    before = await breakers.calls_of(breakers.seats[0])
    afterwards = await Answers().steadily(breakers.check, PER_SECOND, 8 * A_SECOND)
    asked_in_vain = await breakers.calls_of(breakers.seats[0]) - before
    ill.signal(signal.SIGCONT)
    await breakers.well()
    figures.append(
        f"a seat hangs: {meanwhile.failed} of {meanwhile.codes.total()} questions failed until it was ejected, "
        f"{afterwards.failed} of {afterwards.codes.total()} afterwards"
    )
    assert not asked_in_vain
    assert meanwhile.failed < 0.35 * meanwhile.codes.total(), "nearly as many as if nobody was ejected"
    if FULL:
        under_way = PER_SECOND * ASKING_SECONDS
        assert meanwhile.failed <= policy["outlierDetection"]["consecutiveLocalOriginFailures"] + under_way
        assert afterwards.failed < 0.01 * afterwards.codes.total()


async def test_a_seat_that_is_gone_fails_no_call(breakers: Breakers, figures: list[str]) -> None:
    async with breakers.without(0):
        answers = await Answers().steadily(breakers.look, PER_SECOND, 4 * A_SECOND)
        ejected = await breakers.ejected()
    figures.append(f"a seat is killed, and nobody tells the mesh: {answers.codes} of calls by staff")
    assert answers.codes.keys() <= {"OK", "UNAVAILABLE"}
    assert answers.failed <= PER_SECOND * (0.1 if FULL else 0.4)
    assert ejected == [breakers.seats[0]]


async def test_while_seat_is_slow_too_many_calls_are_answered_at_once_and_joins_take_no_longer(
    breakers: Breakers, arena: Arena, policy: Any, figures: list[str]
) -> None:
    pool = policy["connectionPool"]["http"]
    most_calls = pool["http2MaxRequests"] + pool["http1MaxPendingRequests"]
    usual = await Answers().steadily(breakers.join, PER_SECOND, A_WHILE)
    async with _seat_stands_still(arena):
        first = await Answers().steadily(breakers.join, PER_SECOND, 2 * A_SECOND)
        before = await breakers.figure("upstream_rq_total")
        slow = await Answers().steadily(breakers.join, PER_SECOND, A_WHILE)
        questions = await breakers.figure("upstream_rq_total") - before
        crowd = [asyncio.create_task(Answers().steadily(breakers.look, 1, 1)) for _ in range(3 * most_calls)]
        await eventually(lambda: sum(task.done() for task in crowd) >= len(crowd) - most_calls)
    looked = await asyncio.gather(*crowd)
    # what seat was asked it would have kept for longer
    refused = [each for each in looked if each.codes["UNAVAILABLE"] and each.seconds[0] < LOST_SECONDS]
    refused_within = max((each.seconds[0] for each in refused), default=0.0)
    figures.append(
        f"seat is slow: joins p99 {1000 * usual.quantile(0.99):.0f} ms → {1000 * slow.quantile(0.99):.0f} ms "
        f"({1000 * first.quantile(0.99):.0f} ms in the first two seconds), of {slow.codes.total()} joins {questions} "
        f"asked seat; of {len(looked)} calls at once by staff {len(refused)} were refused, "
        f"within {1000 * refused_within:.0f} ms"
    )
    assert not usual.failed + first.failed + slow.failed
    assert len(refused) >= len(looked) - most_calls
    # nobody waits for a seat that is not asked
    assert questions <= 0.1 * slow.codes.total()
    if FULL:
        assert refused_within < 1.0
        assert slow.quantile(0.99) <= 1.2 * usual.quantile(0.99) + BUSY_SECONDS


@asynccontextmanager
async def _seat_stands_still(arena: Arena) -> AsyncIterator[None]:
    """Every statement of seat waits, and is lost after `LOST_SECONDS`."""
    engine = create_async_engine(parse(arena.addresses["seat"]))
    async with engine.begin() as connection:
        found = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        await connection.execute(text(f"LOCK TABLE {', '.join(found.scalars())} IN ACCESS EXCLUSIVE MODE"))
        yield
    await engine.dispose()


async def test_malformed_calls_and_silly_deadlines_eject_nobody(
    breakers: Breakers, arena: Arena, figures: list[str]
) -> None:
    answers, before = Answers(), await breakers.figure("ejections_enforced_total")
    # so many staff that the gateway has no reason to send one of them away
    staff = [
        {"aud": "tabling-staff", "sub": f"staff-{n}", "role": "manager", "stores": ["breaker-0"]} for n in range(100)
    ]
    keys = arena.callers.keys.installation
    by_claims = [as_principal(keys, **each) for each in staff]
    by_token = [(("authorization", f"Bearer {arena.callers.token(**each)}"),) for each in staff]
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{breakers.mesh.ports['seat']}") as inside,
        grpc.aio.insecure_channel(f"127.0.0.1:{breakers.gateway_port}") as outside,
    ):
        await outside.channel_ready()
        for channel, callers, malformed in (
            (inside, by_claims, MALFORMED),
            (outside, by_token, (*MALFORMED, *SILLY)),
        ):
            for method, request, seconds in malformed:
                call: Any = channel.unary_unary(f"/tabling.seat.v1.SeatService/{method}")
                for few in zip(*[iter(callers)] * 10, strict=True):
                    calls = [call(request, timeout=seconds, metadata=each) for each in few]
                    await asyncio.gather(*map(answers.of, calls))
    ejections = await breakers.figure("ejections_enforced_total") - before
    figures.append(f"malformed calls and silly deadlines: {dict(answers.codes)}, {ejections} ejections")
    assert answers.codes["DEADLINE_EXCEEDED"]
    assert answers.codes.keys().isdisjoint(("UNAUTHENTICATED", "RESOURCE_EXHAUSTED")), answers.codes
    assert not ejections


MALFORMED = (
    ("GetTable", b"", 5.0),
    ("GetTable", b"\xff\xff\xff\xff", 5.0),
    ("GetTable", b"\x0a\x04\xff\xfe\xfd\xfc", 5.0),
    ("CreateTable", b"\x0a\x02no", 5.0),
    ("NoSuchMethod", b"", 5.0),
    ("BatchCreateTables", b"\x00" * 100_000, 5.0),
    ("BatchCreateTables", b"\x12\x00" * 5_000, 5.0),
)
SILLY = tuple(
    ("GetTable", GetTableRequest(name="stores/breaker-0/tables/t").SerializeToString(), seconds)
    for seconds in (0.001, 0.022, 0.025, 0.03)
)
"""The gateway keeps 20 ms of a deadline for itself."""


async def test_with_every_seat_gone_calls_are_refused_clearly_and_parties_are_taken_in(
    breakers: Breakers, figures: list[str]
) -> None:
    async with breakers.without(0, 1):
        looks = await Answers().steadily(breakers.look, PER_SECOND, 2 * A_SECOND)
        joins = await Answers().steadily(breakers.join, PER_SECOND, 2 * A_SECOND)
    figures.append(
        f"every seat is gone: staff get {dict(looks.codes)} within {1000 * looks.quantile(0.99):.0f} ms (p99), "
        f"{joins.codes['OK']} of {joins.codes.total()} parties were taken in"
    )
    assert looks.codes.keys() == {"UNAVAILABLE"}
    assert not joins.failed
