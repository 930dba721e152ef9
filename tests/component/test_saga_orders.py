"""Whatever order the events of a saga arrive in, however often, however late: all services end in agreement."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.management.domain.profile import AcceptMode, Profile, SeatingMode
from services.notification.domain.outcome import Outcome
from services.seat.application.add_tables import NewTable
from tabling.messaging.v1.envelope_pb2 import Envelope
from tests.agreement import violations
from tests.component.saga_kit import Stores, World, databases, furnish, world
from tests.component.saga_replay import Picture, picture, replay
from tests.component.saga_steps import (
    STAFF,
    STORE,
    TABLE,
    Arrange,
    CallNext,
    Cancel,
    Fire,
    Join,
    Pass,
    Postpone,
    Run,
    Scene,
    SeatAt,
    Send,
    Staff,
    Turn,
    WalkIn,
)

EXAMPLES = int(os.environ.get("TABLING_EXAMPLES", "50"))

Fresh = Callable[[], Path]

which = st.integers(0, 3)
size = st.integers(1, 4)
parcel = st.integers(0, 40)
section = st.sampled_from(["", "", "", "hall"])

join = st.builds(Join, which, size, st.integers(0, 2), section, st.sampled_from([None, None, True, False]))
people = st.one_of(
    join,
    st.builds(WalkIn, which, size),
    st.builds(Cancel, which),
    st.builds(Postpone, which, st.integers(1, 2)),
)
ONWARD = ("restore", "complete", "seat", "call")

staff = st.one_of(
    # what staff most often do: the next thing that a party needs
    *(st.builds(Staff, st.just(ONWARD), which) for _ in range(3)),
    st.builds(Staff, st.just(("no-show", "cancel")), which),
    st.builds(Staff, st.tuples(st.sampled_from(sorted(STAFF))), which),
    st.builds(SeatAt, which, st.integers(0, 2)),
    st.builds(CallNext, which),
)
house = st.one_of(
    st.builds(Run, st.sampled_from(sorted(STORE)), which),
    st.builds(Arrange, st.sampled_from(sorted(TABLE)), which, st.integers(0, 2)),
    st.builds(Pass, st.sampled_from([300, 300, 30, 299, 3600, 20 * 3600])),
    st.builds(Fire, which),
    st.builds(Send, st.sampled_from([Outcome.DELIVERED, Outcome.UNCERTAIN, Outcome.TRANSIENT])),
)
seldom = st.sampled_from([False, False, False, True]).flatmap(lambda yes: st.tuples(parcel) if yes else st.just(()))
turns = st.builds(
    Turn,
    steps=st.sampled_from([0, 1, 1, 2, 3]).flatmap(lambda number: st.tuples(*[people | staff | house] * number)),
    arrive=st.lists(parcel, max_size=8).map(tuple) | st.just((0,) * 20),
    again=seldom,
    lost=seldom,
    split=seldom,
)
opening = st.lists(join, min_size=1, max_size=3).map(lambda steps: Turn(tuple(steps)))
scenarios = st.tuples(opening, st.lists(turns, min_size=8, max_size=25)).map(lambda found: (found[0], *found[1]))


@st.composite
def profiles(draw: st.DrawFn) -> tuple[Profile, list[NewTable]]:
    """A store's rules, and its tables."""
    profile = Profile(
        display_name="Sushi",
        call_timeout=timedelta(seconds=draw(st.sampled_from([300, 30]))),
        seating_mode=draw(st.sampled_from([SeatingMode.COMPATIBLE_FIFO, *SeatingMode])),
        accept_mode=draw(st.sampled_from(AcceptMode)),
        near_turn_parties=draw(st.sampled_from([3, 1, 0])),
    )
    capacities = draw(st.lists(st.integers(1, 4), max_size=3))
    sections = draw(st.tuples(section, section, section))
    tables = [NewTable(f"t{i}", capacity, section=sections[i]) for i, capacity in enumerate(capacities)]
    return profile, tables


houses = st.lists(profiles(), min_size=1, max_size=2).map(
    lambda found: dict(zip(("sushi", "ramen"), found, strict=False))
)
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def fresh() -> Iterator[Fresh]:
    """Makes folders with empty databases."""
    with databases() as make:
        yield make


def examples(share: float) -> settings:
    """Settings for a test that gets this share of the examples."""
    return settings(
        max_examples=max(1, int(EXAMPLES * share)),
        deadline=None,
        report_multiple_bugs=False,
        print_blob=True,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )


class Told(NamedTuple):
    """What was told of a scenario: all events, and what somebody is told who missed them."""

    events: list[Envelope]
    snapshots: list[Envelope]


async def live(folder: Path, stores: Stores, turns: Sequence[Turn], seed: int) -> Told:
    """Play a scenario until nothing is left to happen."""
    async with world(folder) as found:
        await furnish(found, stores)
        scene = Scene(found, list(stores))
        for turn in turns:
            await turn.play(scene)
        assert violations(folder, quiescent=False) == []
        await found.rest(Random(seed))
        return Told(found.bus.published, await found.snapshots())


@given(houses, scenarios, seeds)
@examples(0.75)
def test_all_services_agree_once_everything_has_arrived(
    fresh: Fresh, stores: Stores, turns: Sequence[Turn], seed: int
) -> None:
    folder = fresh()
    asyncio.run(live(folder, stores, turns, seed))
    assert violations(folder) == []


@given(houses, scenarios, seeds)
@examples(0.1)
def test_the_dashboard_made_anew_from_snapshots_shows_the_same(
    fresh: Fresh, stores: Stores, turns: Sequence[Turn], seed: int
) -> None:
    folder = fresh()
    found = asyncio.run(live(folder, stores, turns, seed))
    shown = picture(folder)
    anew = fresh()
    asyncio.run(replay(anew, {}, found.snapshots, Random(seed)))
    shown_anew = picture(anew)
    for table in ("stores", "receptions", "tables"):
        assert shown_anew["dashboard", table] == shown["dashboard", table]
    # seat counts changes of a store's rules, too, and tells of free seats only
    assert _seats(shown_anew) == _seats(shown)


@given(houses, scenarios, seeds)
@examples(0.25)
def test_every_order_of_the_same_events_ends_in_the_same_state(
    fresh: Fresh, stores: Stores, turns: Sequence[Turn], seed: int
) -> None:
    told = asyncio.run(live(fresh(), stores, turns, seed)).events
    pictures = []
    for choice in (None, Random(seed), Random(seed + 1)):
        folder = fresh()
        asyncio.run(replay(folder, stores, told, choice))
        assert violations(folder, quiescent=False) == []
        pictures.append(picture(folder))
    in_order, *shuffled = pictures
    assert shuffled == [in_order, in_order]


async def test_a_party_that_left_before_it_was_heard_to_sit_leaves_its_other_lines(fresh: Fresh) -> None:
    async with world(fresh()) as found:
        scene = await _two_lines(found)
        await Turn((Staff(("seat",), 0),)).play(scene)
        await Turn((Staff(("complete",), 0),), lost=ALL).play(scene)
        await found.hear()
        assert await _states(found) == ["CANCELED", "COMPLETED"]
        await found.rest(Random(0))
    assert violations(found.folder) == []


async def test_a_line_joined_after_sitting_down_stays_however_late_that_is_heard(fresh: Fresh) -> None:
    async with world(fresh()) as found:
        scene = await _two_lines(found, joins=1)
        await Turn((Staff(("seat",), 0),)).play(scene)
        await Turn((_join(store=1),), lost=ALL).play(scene)
        await found.rest(Random(0))
        assert await _states(found) == ["SEATED", "WAITING"]
    assert violations(found.folder) == []


async def test_a_walk_in_heard_of_after_everyone_was_sent_home_leaves_too(fresh: Fresh) -> None:
    async with world(fresh()) as found:
        scene = await _two_lines(found, joins=0)
        await Turn((WalkIn(store=1, size=2),)).play(scene)
        await Turn((Run("send home", store=1),), lost=ALL).play(scene)
        await found.hear()
        await Turn((Fire(0),)).play(scene)
        assert await _states(found) == []
        await found.rest(Random(0))
        assert await _states(found) == ["CANCELED"]
    assert violations(found.folder) == []


ALL = (0,) * 20


def _seats(shown: Picture) -> list[tuple[Any, ...]]:
    return [(store, *seats) for store, _, *seats in shown["dashboard", "availabilities"]]


async def _two_lines(found: World, joins: int = 2) -> Scene:
    """A store with a table and one without, and a party that joined the first, or both."""
    profile = Profile(display_name="Sushi")
    await furnish(found, {"sushi": (profile, [NewTable("t0", 4)]), "ramen": (profile, [])})
    scene = Scene(found, ["sushi", "ramen"])
    for store in range(joins):
        await Turn((_join(store),)).play(scene)
    await found.hear()
    return scene


def _join(store: int) -> Join:
    return Join(store, size=2, customer=1, section="", answer=None)


async def _states(found: World) -> list[str]:
    rows = "SELECT state FROM receptions ORDER BY state"
    reception = found.services["reception"].frame.database
    return await reception.read(lambda connection: [state for (state,) in connection.exec_driver_sql(rows)])
