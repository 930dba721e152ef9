"""Mathematics for a SQLite that has none: ours is its own."""

import math
import sqlite3
from contextlib import closing

import pytest

from services.chassis.database.maths import FUNCTIONS, can_reckon, teach

CASES = [(0.0,), (0.5,), (2.0,), (None,)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_it_is_taught_gives_what_its_own_gives(name: str) -> None:
    arguments, function = FUNCTIONS[name]
    call = f"SELECT {name}({', '.join('?' * arguments)})"
    with closing(sqlite3.connect(":memory:")) as own, closing(sqlite3.connect(":memory:")) as taught:
        teach(taught)
        for case in CASES:
            [(told,)] = taught.execute(call, case * arguments)
            assert told is None if case == (None,) else math.isclose(told, function(*case * arguments))
            if can_reckon(own):
                assert own.execute(call, case * arguments).fetchall() == [(told,)]
