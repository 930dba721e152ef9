"""Receptions that somebody follows, kept up with what this and other processes commit."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager, suppress

from services.chassis.desk import Desk
from services.chassis.kernel import DomainError
from services.chassis.logs import get_logger
from services.chassis.signals import Signals
from services.reception.adapters import queries
from services.reception.adapters.line_view import LineView, News
from services.reception.adapters.refresh import Refresh
from services.reception.adapters.unit_of_work import ReceptionUnitOfWork
from services.reception.domain.reception import Reception

log = get_logger(__name__)

PACE_SECONDS = 0.05
"""Changes of other processes are looked at together, at most this often."""


class Following:
    """Wakes followers. Their receptions are taken from the commits, so that following costs no queries.

    What another process commits is learned by whatever reads a line next: here, when that process tells of it, and
    every `look_seconds` in case it did not; None where there is no other process.
    """

    def __init__(
        self,
        desk: Desk[ReceptionUnitOfWork],
        signals: Signals,
        view: LineView,
        refresh: Refresh,
        look_seconds: float | None,
    ) -> None:
        self._desk = desk
        self._signals = signals
        self._view = view
        self._refresh = refresh
        self._look_seconds = look_seconds
        self._followed: dict[str, Counter[str]] = {}
        self._latest: dict[str, Reception] = {}
        self._outdated: set[str] = set()
        self._moved: set[str] = set()
        self._doubted: set[str] = set()
        self._wake = asyncio.Event()
        view.learned = self._learned

    def committed(self, uow: ReceptionUnitOfWork) -> None:
        """A transaction of this process was committed, and the view has it."""
        saved = uow.receptions.saved
        for store_id in self._followed.keys() & uow.lines.saved.keys():
            followed = saved.keys() & self._followed[store_id].keys()
            for reception_id in followed:
                self._keep(saved[reception_id])
            self._tell(followed, uow.places.moved & {store_id})

    def heard(self, store_ids: Set[str] | None) -> None:
        """Other processes have changed these stores' lines; None: they may have changed any."""
        self._doubted |= self._view.stores if store_ids is None else self._view.stores & store_ids
        if not self._doubted.isdisjoint(self._followed):
            self._wake.set()

    def is_doubted(self, store_id: str) -> bool:
        """Whether a line that the view knows was changed since by another process."""
        return store_id in self._doubted

    async def bring_up(self, store_ids: Set[str]) -> None:
        """Bring the view of these lines up to now; those in doubt stay so when they cannot be read."""
        doubted = self._doubted & store_ids
        # what is heard from here on is doubted anew
        self._doubted -= doubted
        try:
            await self._refresh.of(store_ids)
        except BaseException:
            self._doubted |= doubted
            raise

    def latest(self, reception_id: str) -> Reception | None:
        """What was last committed of a followed reception, None when nothing was since it is followed."""
        return self._latest.get(reception_id)

    @contextmanager
    def follow(self, store_id: str, reception_id: str) -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
        """What is set when a reception changes, and what is when it or who is ahead of it does."""
        own = _reception_topic(reception_id)
        followed = self._followed.setdefault(store_id, Counter())
        followed[reception_id] += 1
        try:
            with self._signals.listen(own) as itself, self._signals.listen(own, _line_topic(store_id)) as anything:
                yield itself, anything
        finally:
            followed[reception_id] -= 1
            if not followed[reception_id]:
                del followed[reception_id]
                self._latest.pop(reception_id, None)
            if not followed:
                self._followed.pop(store_id, None)

    async def serve(self) -> None:
        """Look after what other processes change, until cancelled."""
        look_at = self._next_look_at()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(look_at):
                    await self._wake.wait()
            self._wake.clear()
            if look_at is not None and _now() >= look_at:
                self.heard(self._followed.keys())
                look_at = self._next_look_at()
            try:
                await self._look()
            except DomainError as error:
                log.warning("followed lines not read", stores=len(self._followed), error=error.reason)
            await asyncio.sleep(PACE_SECONDS)

    def _next_look_at(self) -> float | None:
        return None if self._look_seconds is None else _now() + self._look_seconds

    async def _look(self) -> None:
        stores = self._doubted & self._followed.keys()
        if stores:
            await self.bring_up(stores)
        outdated, self._outdated = self._outdated, set()
        moved, self._moved = self._moved, set()
        try:
            if outdated:
                for read in await self._desk.look(lambda c: queries.receptions_by_id(c, outdated)):
                    self._keep(read.reception)
        except DomainError:
            self._outdated |= outdated
            self._moved |= moved
            raise
        self._tell(outdated, moved)

    def _learned(self, news: News) -> None:
        followed = self._followed.get(news.store_id)
        if followed is None:
            return
        self._outdated |= followed.keys() if news.receptions is None else followed.keys() & news.receptions
        if news.moved:
            self._moved.add(news.store_id)
        self._wake.set()

    def _keep(self, reception: Reception) -> None:
        latest = self._latest.get(reception.id)
        if reception.id in self._followed.get(reception.store_id, ()) and (
            latest is None or latest.version < reception.version
        ):
            self._latest[reception.id] = reception

    def _tell(self, reception_ids: Iterable[str], moved: Iterable[str]) -> None:
        self._signals.send(map(_reception_topic, reception_ids))
        self._signals.send(map(_line_topic, moved))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _line_topic(store_id: str) -> str:
    """Signalled in this process when places in a store's line have changed."""
    return f"line:{store_id}"


def _reception_topic(reception_id: str) -> str:
    """Signalled in this process when a reception has changed."""
    return f"reception:{reception_id}"
