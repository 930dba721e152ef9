"""Mathematics that SQLite may have been built without."""

import math
import sqlite3
from collections.abc import Callable

FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {
    "sin": (1, math.sin),
    "cos": (1, math.cos),
    "atan2": (2, math.atan2),
    "sqrt": (1, math.sqrt),
    "power": (2, math.pow),
}
"""How many arguments each takes, and what it is."""


def can_reckon(connection: sqlite3.Connection) -> bool:
    """Whether it has such functions of its own."""
    [(used,)] = connection.execute("SELECT sqlite_compileoption_used('ENABLE_MATH_FUNCTIONS')")
    return bool(used)


def teach(connection: sqlite3.Connection) -> None:
    """Give it ours. As with all of SQL's, what is unknown stays unknown."""
    for name, (arguments, function) in FUNCTIONS.items():
        connection.create_function(name, arguments, _of_known(function), deterministic=True)


def _of_known(function: Callable[..., float]) -> Callable[..., float | None]:
    return lambda *arguments: None if None in arguments else function(*arguments)
