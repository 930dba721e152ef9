"""DashboardService: requests → queries on the read model."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from services.chassis.kernel import NotFound, invalid
from services.chassis.paging import page_position, page_size, page_token
from services.chassis.service import Frame
from services.chassis.signals import wait_for
from services.dashboard.application.search import Found, Key, Search, Sort, is_key
from services.dashboard.entrypoints import fields
from services.dashboard.entrypoints.views import SharedViews
from tabling.dashboard.v1.dashboard_service_pb2 import (
    GetDayFiguresRequest,
    GetStoreBoardRequest,
    GetStoreViewRequest,
    SearchStoresRequest,
    SearchStoresResponse,
    WatchStoreRequest,
    WatchStoreResponse,
)
from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceServicer
from tabling.dashboard.v1.store_view_pb2 import DayFigures, StoreBoard, StoreView

T = TypeVar("T")

PACE_SECONDS = 0.2
"""A busy store's changes are shown together, at most this often."""


class Queries(Protocol):
    """What is read from the read model, each in one transaction."""

    def views(self, connection: Connection, stores: Collection[str]) -> Mapping[str, StoreView]:
        """The views of those stores that are known."""

    def find(
        self, connection: Connection, search: Search, now: datetime, after: Key | None, most: int
    ) -> Sequence[Found]:
        """The first stores that match, in order, after a place in it; at most so many."""

    def board(self, connection: Connection, store: str) -> StoreBoard | None:
        """A store's board; None when the store is not known."""

    def day_figures(self, connection: Connection, store: str, day: date) -> DayFigures | None:
        """A day's figures; None when the store is not known."""


class DashboardServicer(DashboardServiceServicer):
    """Reads only."""

    def __init__(self, frame: Frame[Any], queries: Queries) -> None:
        self._desk = frame.desk
        self._clock = frame.clock
        self._signals = frame.signals
        self._heartbeat_seconds = frame.settings.heartbeat_seconds
        self._queries = queries
        self._views = SharedViews(lambda stores: self._desk.read(lambda c: queries.views(c, stores)))

    async def SearchStores(self, request: SearchStoresRequest, context: Any) -> SearchStoresResponse:
        search, size = fields.search(request), page_size(request.page_size)
        after, now = _place(search.sort, page_position(request, request.page_token)), self._clock.now()

        def page(connection: Connection) -> SearchStoresResponse:
            found = self._queries.find(connection, search, now, after, size + 1)
            views = self._queries.views(connection, [store.id for store in found[:size]])
            for store in found[:size]:
                views[store.id].distance_meters = store.distance_meters
            token = page_token(request, list(found[size - 1].key)) if len(found) > size else ""
            return SearchStoresResponse(store_views=[views[store.id] for store in found[:size]], next_page_token=token)

        return await self._desk.scan(page)

    async def GetStoreView(self, request: GetStoreViewRequest, context: Any) -> StoreView:
        return await self._view(request.name)

    async def GetStoreBoard(self, request: GetStoreBoardRequest, context: Any) -> StoreBoard:
        store = fields.store_of(request.name, "stores/*/board")
        board = await self._desk.read(lambda connection: self._queries.board(connection, store))
        return _known(board, request.name)

    async def GetDayFigures(self, request: GetDayFiguresRequest, context: Any) -> DayFigures:
        store, day = fields.store_and_day(request.name)
        figures = await self._desk.read(lambda connection: self._queries.day_figures(connection, store, day))
        return _known(figures, request.name)

    async def WatchStore(self, request: WatchStoreRequest, context: Any) -> AsyncIterator[WatchStoreResponse]:
        store = fields.store_of(request.name, "stores/*/view")
        with self._signals.listen(store) as changed:
            shown: StoreView | None = await self._view(request.name)
            yield WatchStoreResponse(store_view=shown)
            while True:
                woken = await wait_for(changed, self._heartbeat_seconds)
                view = await self._views.get(store)
                # a change that is not in the view is told too: it is one on the board
                if view is not None and (woken or view != shown):
                    shown = view
                    yield WatchStoreResponse(store_view=view)
                else:
                    yield WatchStoreResponse(heartbeat=True)
                await asyncio.sleep(min(PACE_SECONDS, self._heartbeat_seconds))

    async def _view(self, name: str) -> StoreView:
        return _known(await self._views.get(fields.store_of(name, "stores/*/view")), name)


def _known(found: T | None, name: str) -> T:
    if found is None:
        raise NotFound(f"{name} does not exist")
    return found


def _place(sort: Sort, position: list[Any] | None) -> Key | None:
    if position is None:
        return None
    if not is_key(sort, position):
        raise invalid("page_token", "is not a token of this list")
    return tuple(position)
