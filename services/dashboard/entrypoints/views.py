"""Views read for many watchers and callers at once: those who ask at the same moment share one query."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from tabling.dashboard.v1.store_view_pb2 import StoreView

ReadViews = Callable[[frozenset[str]], Awaitable[Mapping[str, StoreView]]]
"""`read(stores)`: the views of those that are known."""


class SharedViews:
    """Gives store views. At most one query runs; whoever asks meanwhile waits for the next.

    So a view is never older than the question, and a thousand watchers of one store cost two queries.
    """

    def __init__(self, read: ReadViews) -> None:
        self._read = read
        self._turn = asyncio.Lock()
        self._wanted: set[str] = set()
        self._next: asyncio.Task[Mapping[str, StoreView]] | None = None

    async def get(self, store: str) -> StoreView | None:
        """The store's view as of now or later, None when the store is not known. Not to be changed."""
        self._wanted.add(store)
        if self._next is None:
            self._next = asyncio.create_task(self._read_wanted())
        # a caller that goes away must not take the query from the others
        return (await asyncio.shield(self._next)).get(store)

    async def _read_wanted(self) -> Mapping[str, StoreView]:
        async with self._turn:
            wanted, self._wanted, self._next = frozenset(self._wanted), set(), None
            return await self._read(wanted)
