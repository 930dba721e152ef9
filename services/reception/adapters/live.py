"""The read side as the servicers use it: queries, memory, and receptions that are followed."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from services.chassis.desk import Desk
from services.chassis.signals import Signals, wait_for
from services.reception.adapters import queries
from services.reception.adapters.line_view import LineView, line_topic, reception_topic
from services.reception.adapters.unit_of_work import ReceptionUnitOfWork
from services.reception.application.ports import Standing
from services.reception.domain.line import Line
from services.reception.domain.reception import Reception, State


class Live:
    """Reads. Receptions that somebody follows are taken from the commits, so that following costs no queries."""

    def __init__(self, desk: Desk[ReceptionUnitOfWork], signals: Signals, view: LineView) -> None:
        self._desk = desk
        self._signals = signals
        self._view = view
        self._followers: Counter[str] = Counter()
        self._latest: dict[str, Reception] = {}

    def committed(self, uow: ReceptionUnitOfWork) -> None:
        """Take over what a transaction changed."""
        self._view.committed(uow.places, uow.lines.saved)
        if self._followers:
            saved = uow.receptions.saved
            self._latest.update((key, saved[key]) for key in saved.keys() & self._followers.keys())

    def line(self, store_id: str) -> Line | None:
        """A store's line as committed; not to be changed."""
        return self._view.line(store_id)

    def standing(self, reception: Reception) -> Standing:
        """Where a reception stands, as committed."""
        return self._view.standing(reception)

    async def one(self, store_id: str, reception_id: str) -> Reception | None:
        """A store's reception, or None."""
        return await self._desk.read(lambda connection: queries.one_reception(connection, store_id, reception_id))

    async def page(
        self,
        *,
        store_id: str | None,
        customer_id: str | None,
        states: Sequence[State],
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[Reception]:
        """Receptions by age."""
        return await self._desk.read(
            lambda connection: queries.page_of_receptions(
                connection, store_id=store_id, customer_id=customer_id, states=states, after=after, limit=limit
            )
        )

    async def contacts(self, names: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
        """Name, phone and language of those of (store, reception) that have a phone."""
        return await self._desk.read(lambda connection: queries.contacts(connection, names))

    @contextmanager
    def follow(self, store_id: str, reception_id: str) -> Iterator["FollowedReception"]:
        """Follow one reception; nothing that changes after this call is missed."""
        own = reception_topic(reception_id)
        self._followers[reception_id] += 1
        try:
            with self._signals.listen(own) as itself, self._signals.listen(own, line_topic(store_id)) as anything:
                yield FollowedReception(self, store_id, reception_id, itself, anything)
        finally:
            self._followers[reception_id] -= 1
            if not self._followers[reception_id]:
                del self._followers[reception_id]
                self._latest.pop(reception_id, None)

    def latest(self, reception_id: str) -> Reception | None:
        """What was last committed of a followed reception, None when nothing was since it is followed."""
        return self._latest.get(reception_id)


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

    async def read(self) -> Reception | None:
        """The reception as it is now."""
        if self._seen is None:
            self._seen = await self._live.one(self._store_id, self._reception_id)
        latest = self._live.latest(self._reception_id)
        if latest is not None and (self._seen is None or latest.version > self._seen.version):
            self._seen = latest
        return self._seen
