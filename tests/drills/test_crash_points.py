"""Whatever step a system dies at, it goes on from there: nothing is lost, nothing happens twice, every saga ends."""

import ast
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from tests.drills.conftest import NewDrill
from tests.drills.drill import FULL, Report

pytestmark = pytest.mark.drill

SERVICES = Path(__file__).resolve().parents[2] / "services"

LATEST = {"commit": 400, "consumer": 400, "relay": 120}
"""Up to which passing a system of a drill surely gets, by the first part of the point's name; else `SELDOM`."""

SELDOM = 10


class Death(NamedTuple):
    """The n-th passing of a crash point."""

    point: str
    passing: int


def crash_points() -> list[str]:
    """The names of all crash points in the source, so that none can be forgotten here."""
    return sorted({name for path in SERVICES.rglob("*.py") for name in _named_in(path)})


def _named_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crash_point":
            [name] = node.args
            assert isinstance(name, ast.Constant), f"{path}:{node.lineno}: the name of a crash point is written out"
            yield str(name.value)


def family(point: str) -> str:
    return point.partition(".")[0]


def later_death(point: str, choice: int = 0) -> Death:
    return Death(point, Random(f"{point} {choice}").randint(2, LATEST.get(family(point), SELDOM)))


def deaths() -> Iterator[tuple[Death, ...]]:
    """Each one life after the other on one data folder; in full also every point by itself, early and late."""
    for _, points in groupby(crash_points(), family):
        yield tuple(map(later_death, points))
    for point in crash_points() if FULL else ():
        yield (Death(point, 1),)
        yield from ((later_death(point, choice),) for choice in (1, 2))
        # the second time while it takes up what the first death left
        yield (later_death(point, 3), Death(point, 1), Death(point, 2))


def _words(chain: tuple[Death, ...]) -> str:
    return " ".join(f"{death.point}:{death.passing}" for death in chain)


@pytest.mark.parametrize("chain", list(deaths()), ids=_words)
async def test_dying_at_a_step_loses_nothing_and_does_nothing_twice(
    chain: tuple[Death, ...], new_drill: NewDrill, reports: list[Report]
) -> None:
    drill = new_drill(chain)
    for death in chain:
        await drill.die_at(*death)
    points = dict.fromkeys(death.point for death in chain)
    report = await drill.recover(" ".join(points), ",".join(str(death.passing) for death in chain))
    reports.append(report)
    assert not report.findings, report.findings


def test_every_durable_step_has_a_crash_point() -> None:
    assert {family(point) for point in crash_points()} == {"commit", "consumer", "relay", "sender", "timer"}
