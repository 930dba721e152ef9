"""Streams both ways: many requests under way at once, each answered as soon as it is done."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Dialogue(Generic[Q, A]):
    """One stream of requests: `answer` gives what is sent back for each.

    `weight` says how much a request is, and `most` how much may have been read and not yet been taken by the caller:
    beyond that the stream is not read on, so that the caller's sending waits in the connection.
    """

    def __init__(self, answer: Callable[[Q], Awaitable[A]], *, weight: Callable[[Q], int], most: int) -> None:
        self._answer = answer
        self._weight = weight
        self._most = most
        self._load = 0
        self._room = asyncio.Event()
        self._under_way: set[asyncio.Task[tuple[A, int]]] = set()
        self._ended: asyncio.Queue[asyncio.Task[tuple[A, int]] | None] = asyncio.Queue()

    async def answers(self, requests: AsyncIterator[Q]) -> AsyncGenerator[A]:
        """The answers in the order in which they are done.

        When reading ends, with or without an error, what is under way is still answered. Raises that error, or at
        once what `answer` raises.
        """
        reading = asyncio.create_task(self._read(requests))
        reading.add_done_callback(lambda _: self._ended.put_nowait(None))
        try:
            while self._under_way or not reading.done():
                if (task := await self._ended.get()) is None:
                    continue
                self._under_way.discard(task)
                answer, weight = task.result()
                yield answer
                self._load -= weight
                self._room.set()
            reading.result()
        finally:
            for left in (reading, *self._under_way):
                left.cancel()

    async def _read(self, requests: AsyncIterator[Q]) -> None:
        async for request in requests:
            weight = self._weight(request)
            while self._load and self._load + weight > self._most:
                self._room.clear()
                await self._room.wait()
            self._load += weight
            task = asyncio.create_task(self._answered(request, weight))
            self._under_way.add(task)
            task.add_done_callback(self._ended.put_nowait)

    async def _answered(self, request: Q, weight: int) -> tuple[A, int]:
        return await self._answer(request), weight
