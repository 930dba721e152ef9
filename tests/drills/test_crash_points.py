"""Whatever step a system dies at, it goes on from there: nothing is lost, nothing happens twice, every saga ends."""

from collections.abc import Iterator
from itertools import groupby

import pytest

from tests.drills.conftest import NewDrill
from tests.drills.points import Death, crash_points, death, family
from tests.drills.trial import FULL, Report

pytestmark = pytest.mark.drill

LATEST = {"commit": 400, "consumer": 400, "relay": 120}
"""Up to which passing a system of a drill surely gets, by the first part of the point's name; else `SELDOM`."""

SELDOM = 10

AT_A_START = {"relay.claimed"}
"""Points that only a start on what a death left behind passes, and only once."""


def later_death(point: str, choice: int = 0) -> Death:
    if point in AT_A_START:
        return Death(point, 1)
    return death(point, LATEST.get(family(point), SELDOM), choice)


def deaths() -> Iterator[tuple[Death, ...]]:
    """Each one life after the other on one data folder; in full also every point by itself, early and late."""
    points = crash_points(on_broker=False)
    for _, related in groupby(points, family):
        yield tuple(map(later_death, related))
    for point in points if FULL else ():
        if point in AT_A_START:
            continue
        yield (Death(point, 1),)
        yield from ((later_death(point, choice),) for choice in (1, 2))
        # the second time while it takes up what the first death left
        yield (later_death(point, 3), Death(point, 1), Death(point, 2))


def _words(chain: tuple[Death, ...]) -> str:
    return " ".join(f"{each.point}:{each.passing}" for each in chain)


@pytest.mark.parametrize("chain", list(deaths()), ids=_words)
async def test_dying_at_a_step_loses_nothing_and_does_nothing_twice(
    chain: tuple[Death, ...], new_drill: NewDrill, reports: list[Report]
) -> None:
    drill = new_drill(chain)
    for each in chain:
        await drill.die_at(*each)
    points = dict.fromkeys(each.point for each in chain)
    report = await drill.recover(" ".join(points), ",".join(str(each.passing) for each in chain))
    reports.append(report)
    assert not report.findings, report.findings


def test_every_durable_step_has_a_crash_point() -> None:
    steps = {family(point) for point in crash_points(on_broker=True)}
    assert steps == {"aside", "commit", "consumer", "relay", "sender", "timer"}
