"""Putting the read model right by what its sources say now, row by row, while it is shown and events arrive."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.dashboard.application.model import Versioned

ROUNDS = 5

Key = tuple[str, str]
"""A row's kind, as `ReadModel` names it, and its id."""


class Sources(Protocol):
    """Those whose events the read model is made from."""

    def read(self) -> AsyncIterator[Mapping[Key, Versioned]]:
        """The present state of everything, a page at a time. Raises when a source does not answer."""


class Shown(Protocol):
    """The read model as it is; each method is one transaction."""

    async def versions(self) -> dict[Key, int]:
        """The versions of all rows."""

    async def put(self, rows: Mapping[Key, Versioned], ahead: Mapping[Key, int]) -> int:
        """Show `rows`, save where a newer version is shown; yet of those in `ahead` that version is replaced, too.

        Gives how many rows were not as they should be.
        """

    async def forget(self, rows: Mapping[Key, int]) -> None:
        """Show rows of these versions no longer."""


class NeverRight(Exception):
    """Wrong rows come back again and again; somebody else writes them."""


@dataclass(slots=True)
class Rebuilt:
    """How far a rebuild is: rows that the sources told, those that were wrong or missing, those that nobody knows."""

    told: int = 0
    mended: int = 0
    forgotten: int = 0


async def rebuild(sources: Sources, shown: Shown, progress: Callable[[Rebuilt], None] = lambda _: None) -> Rebuilt:
    """Put every row right and forget those that no source knows. It may be killed at any moment, and run again.

    The model is never empty meanwhile: every row is replaced by a better one. Raises `NeverRight`, and what
    `sources` and `shown` raise.
    """
    done = Rebuilt()
    for _ in range(ROUNDS):
        if not await _round(sources, shown, done, progress):
            return done
    raise NeverRight(f"after {ROUNDS} rounds there are wrong rows again")


async def _round(sources: Sources, shown: Shown, done: Rebuilt, progress: Callable[[Rebuilt], None]) -> int:
    """Ask all sources once; gives how many rows were shown that may have hidden events.

    A source commits before it tells: what was shown before the sources are asked is part of their answer, at
    that version or a newer one. So a row that they do not know is made up, and one that they know at an older
    version is wrong. Either was newer than events that should have been applied: hence another round.
    """
    held = await shown.versions()
    hiding = 0
    async for rows in sources.read():
        before = {key: held.pop(key) for key in rows.keys() & held.keys()}
        ahead = {key: version for key, version in before.items() if version > rows[key].version}
        done.mended += await shown.put(rows, ahead)
        done.told += len(rows)
        hiding += len(ahead)
        progress(done)
    await shown.forget(held)
    done.forgotten += len(held)
    return hiding + len(held)


class Page:
    """A read model that only collects rows: of each the newest."""

    def __init__(self) -> None:
        self.rows: dict[Key, Any] = {}
        self.stores = _Kind("stores", self.rows)
        self.availabilities = _Kind("availabilities", self.rows)
        self.lines = _Kind("lines", self.rows)
        self.receptions = _Kind("receptions", self.rows)
        self.orders = _Kind("orders", self.rows)
        self.tables = _Kind("tables", self.rows)

    def signal(self, topic: str) -> None:
        """Nobody follows a page."""


class _Kind:
    def __init__(self, name: str, rows: dict[Key, Any]) -> None:
        self._name = name
        self._rows = rows

    def put(self, row: Versioned) -> None:
        key = (self._name, row.id)
        if key not in self._rows or row.version > self._rows[key].version:
            self._rows[key] = row
