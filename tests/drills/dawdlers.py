"""Clients who take their time: they say nothing, speak a byte at a time, or do not listen to the answers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from typing import cast

AT_ONCE = 250
BYTE_EVERY_SECONDS = 0.5
LITTLE = 4096
"""The kernel's buffer of somebody who does not listen, in bytes."""

SEARCH = b"GET /v1/storeViews:search HTTP/1.1\r\nhost: a\r\n"


@dataclass(frozen=True)
class Way:
    """How to dawdle: what is said at once, and the byte that is said ever again."""

    first: bytes = b""
    ever: bytes = b""
    listens: bool = True


IDLE = Way()
SLOW = (
    Way(first=SEARCH + b"x-a: ", ever=b"a"),
    Way(first=b"POST /v1/stores/s/receptions HTTP/1.1\r\nhost: a\r\ncontent-length: 9999\r\n\r\n{", ever=b" "),
    Way(first=(SEARCH + b"\r\n") * 100, listens=False),
)
"""Slow headers, slow bodies, slow ears."""


class Dawdler(asyncio.Protocol):
    """One such client."""

    def __init__(self, way: Way) -> None:
        self._way = way

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.write(self._way.first)
        if not self._way.listens:
            transport.pause_reading()

    def go_on(self) -> None:
        """Say one more byte, while there is somebody to hear it."""
        if self._way.ever and not self._transport.is_closing():
            self._transport.write(self._way.ever)

    def leave(self) -> None:
        self._transport.abort()


@asynccontextmanager
async def dawdlers(port: int, idle: int, slow: int) -> AsyncIterator[None]:
    """So many idle and so many slow clients, for the length of the block."""
    some: list[Dawdler] = []
    ways = [*[IDLE] * idle, *islice(cycle(SLOW), slow)]
    going_on = asyncio.create_task(_go_on(some))
    try:
        for start in range(0, len(ways), AT_ONCE):
            some += await asyncio.gather(*(_come(port, way) for way in ways[start : start + AT_ONCE]))
        yield
    finally:
        going_on.cancel()
        for dawdler in some:
            dawdler.leave()


async def _come(port: int, way: Way) -> Dawdler:
    loop = asyncio.get_running_loop()
    connection = socket.socket()
    connection.setblocking(False)
    if not way.listens:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
    await loop.sock_connect(connection, ("127.0.0.1", port))
    _, dawdler = await loop.create_connection(lambda: Dawdler(way), sock=connection)
    return dawdler


async def _go_on(some: list[Dawdler]) -> None:
    while True:
        await asyncio.sleep(BYTE_EVERY_SECONDS)
        for dawdler in some:
            dawdler.go_on()
