"""Taking turns: so many at once, while the others wait for a bounded time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """`most` may be under way at once; who waits longer than `seconds` gets a `TimeoutError`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._free = asyncio.Semaphore(most)
        self._seconds = seconds

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A turn, in order of arrival."""
        async with asyncio.timeout(self._seconds):
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()
