"""The read side as the servicers use it: queries, with places from memory, and receptions that are followed."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from services.chassis.desk import Desk
from services.chassis.signals import wait_for
from services.reception.adapters import queries
from services.reception.adapters.following import Following
from services.reception.adapters.line_view import LineView
from services.reception.adapters.refresh import Refresh
from services.reception.adapters.unit_of_work import ReceptionUnitOfWork
from services.reception.adapters.vault import Vault
from services.reception.application.ports import Placed
from services.reception.domain.line import Line
from services.reception.domain.line_order import LineOrder
from services.reception.domain.reception import Reception, State

TRIES = 3
"""How often a reception is read that changes its place while it is being read."""


class Live:
    """Reads. A place is never older than its reception: the view is brought up to the line that the tables have."""

    def __init__(
        self,
        desk: Desk[ReceptionUnitOfWork],
        view: LineView,
        refresh: Refresh,
        following: Following,
        vault: Vault,
    ) -> None:
        self._vault = vault
        self._desk = desk
        self._view = view
        self._refresh = refresh
        self._following = following

    async def line(self, store_id: str) -> Line | None:
        """A store's line, not to be changed; where another process has just changed it, maybe as it was before."""
        if self._following.is_doubted(store_id) or self._view.line(store_id) is None:
            await self._following.bring_up({store_id})
        return self._view.line(store_id)

    def order(self, store_id: str) -> LineOrder:
        """Who waits at a store, as the view knows it; not to be changed."""
        return self._view.order(store_id)

    async def one(self, store_id: str, reception_id: str) -> Placed | None:
        """A store's reception, or None."""
        for _ in range(TRIES):
            found = await self._desk.look(lambda connection: queries.receptions_by_id(connection, (reception_id,)))
            if not found or found[0].reception.store_id != store_id:
                return None
            await self._catch_up(found)
            if self._view.agrees(found[0].reception):
                break
        return self.placed(found[0].reception)

    async def page(
        self,
        *,
        store_id: str | None,
        customer_id: str | None,
        states: Sequence[State],
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[Placed]:
        """Receptions by age."""
        found = await self._desk.read(
            lambda connection: queries.page_of_receptions(
                connection, store_id=store_id, customer_id=customer_id, states=states, after=after, limit=limit
            )
        )
        await self._catch_up(found)
        return [self.placed(read.reception) for read in found]

    async def contacts(self, names: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
        """Name, phone and language of those of (store, reception) that have a phone."""
        return await self._desk.look(lambda connection: queries.contacts(connection, names, self._vault))

    @contextmanager
    def follow(self, store_id: str, reception_id: str) -> Iterator["FollowedReception"]:
        """Follow one reception; nothing that changes after this call is missed."""
        with self._following.follow(store_id, reception_id) as events:
            yield FollowedReception(self, store_id, reception_id, *events)

    def placed(self, reception: Reception) -> Placed:
        """The reception and its place in the view."""
        return Placed(reception, self._view.standing(reception))

    def newest(self, seen: Reception) -> Reception | None:
        """A followed reception as last committed; None when that is a moment older than its line."""
        latest = self._following.latest(seen.id)
        newest = seen if latest is None or latest.version <= seen.version else latest
        return newest if self._view.agrees(newest) else None

    async def _catch_up(self, found: Sequence[queries.Read]) -> None:
        behind = {
            reception.store_id
            for reception, line_version in found
            if reception.state is State.WAITING and self._view.version(reception.store_id) < line_version
        }
        if behind:
            await self._refresh.of(behind)


class FollowedReception:
    """One reception that is followed."""

    def __init__(
        self, live: Live, store_id: str, reception_id: str, itself: asyncio.Event, anything: asyncio.Event
    ) -> None:
        self._live = live
        self._store_id = store_id
        self._reception_id = reception_id
        self._itself = itself
        self._anything = anything
        self._seen: Reception | None = None

    async def changed(self, seconds: float) -> bool:
        """True when the reception, or who is ahead of it, changed within `seconds`."""
        return await wait_for(self._anything, seconds)

    async def changed_itself(self, seconds: float) -> bool:
        """True when the reception changed within `seconds`."""
        return await wait_for(self._itself, seconds)

    async def read(self) -> Placed | None:
        """The reception and its place as they are now."""
        if self._seen is None:
            # from here on the view tells what others change of it
            await self._live.line(self._store_id)
        newest = self._seen and self._live.newest(self._seen)
        placed = self._live.placed(newest) if newest else await self._live.one(self._store_id, self._reception_id)
        self._seen = placed.reception if placed else None
        return placed
