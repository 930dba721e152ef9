"""Bringing the view of the lines up to the tables, for many at once."""

import asyncio
from collections.abc import Iterable

from services.chassis.desk import Desk
from services.reception.adapters import queries
from services.reception.adapters.line_view import LineView
from services.reception.adapters.unit_of_work import ReceptionUnitOfWork


class Refresh:
    """Reads lines anew. At most one query runs; whoever asks meanwhile shares the next."""

    def __init__(self, desk: Desk[ReceptionUnitOfWork], view: LineView) -> None:
        self._desk = desk
        self._view = view
        self._turn = asyncio.Lock()
        self._wanted: set[str] = set()
        self._next: asyncio.Task[None] | None = None

    async def of(self, store_ids: Iterable[str]) -> None:
        """Return once the view of these stores' lines is as of this call, or later."""
        self._wanted.update(store_ids)
        if self._next is None:
            self._next = asyncio.create_task(self._read_wanted())
        # a caller that goes away must not take the query from the others
        await asyncio.shield(self._next)

    async def _read_wanted(self) -> None:
        async with self._turn:
            wanted, self._wanted, self._next = self._wanted, set(), None
            await self._desk.read(lambda connection: queries.catch_up(self._view, connection, wanted))
