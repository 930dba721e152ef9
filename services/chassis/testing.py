"""What tests of every service share: waiting for a fact, and a service on a free port."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from services.chassis.service import Service


async def eventually(probe: Callable[[], Any], *, seconds: float = 20.0) -> Any:
    """The first truthy answer of `probe`. Fails after `seconds`, telling what was seen last."""
    limit = time.monotonic() + seconds
    seen: Any = None
    while time.monotonic() < limit:
        try:
            seen = probe()
            if isinstance(seen, Awaitable):
                seen = await seen
        except (AssertionError, grpc.aio.AioRpcError) as error:
            seen = error
        else:
            if seen:
                return seen
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {seconds} s; last seen: {seen!r}")


@asynccontextmanager
async def running(service: Service[Any]) -> AsyncIterator[str]:
    """Run a service inside the test; gives its address."""
    stop = asyncio.Event()
    task = asyncio.create_task(service.run(stop))
    started = asyncio.create_task(service.started.wait())
    await asyncio.wait([task, started], return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    if task.done():
        await task
    try:
        yield f"127.0.0.1:{service.grpc.port}"
    finally:
        stop.set()
        await task
