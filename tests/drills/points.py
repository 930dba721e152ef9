"""The crash points in the source, and which passing of them to die at."""

import ast
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

SERVICES = Path(__file__).resolve().parents[2] / "services"
BUS = SERVICES / "chassis" / "bus"


class Death(NamedTuple):
    """The n-th passing of a crash point."""

    point: str
    passing: int


def crash_points(*, on_broker: bool) -> list[str]:
    """The names of all crash points in the source, so that none can be forgotten; those of the broker's bus or not."""
    paths = [path for path in SERVICES.rglob("*.py") if on_broker or not path.is_relative_to(BUS)]
    return sorted({name for path in paths for name in _named_in(path)})


def family(point: str) -> str:
    """The part of the system that a crash point belongs to."""
    return point.partition(".")[0]


def death(point: str, latest: int, choice: object = 0) -> Death:
    """Some passing of a point, up to the latest that a drill surely gets to."""
    return Death(point, Random(f"{point} {choice}").randint(2, max(2, latest)))


def _named_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crash_point":
            [name] = node.args
            assert isinstance(name, ast.Constant), f"{path}:{node.lineno}: the name of a crash point is written out"
            yield str(name.value)
