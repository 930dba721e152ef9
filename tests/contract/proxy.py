"""A TCP proxy in front of a server, in a test's hands: it can cut connections, or let them fall silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from services.chassis.addresses import free_port


class Proxy:
    """Forwards bytes both ways."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.port = free_port()
        self._writers: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self.accepted = 0

    @property
    def url(self) -> str:
        """The server's address by way of the proxy."""
        login, _, _ = self._url.netloc.rpartition("@")
        return urlunsplit(self._url._replace(netloc=f"{login}@127.0.0.1:{self.port}"))

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def silence(self) -> None:
        """Lose every byte of the connections there are, from now on; they stay open, whatever happens to either end."""
        self._silent |= self._writers

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Proxy"]:
        """Listen; before, whoever connects is refused."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()
            self._writers |= self._silent
            self.cut()
            await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        there, back = await asyncio.open_connection(self._url.hostname, self._url.port)
        self._writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        self._writers -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65536):
                if writer not in self._silent:
                    writer.write(piece)
                    await writer.drain()
        # of a connection that fell silent neither side hears that the other has closed it
        if writer not in self._silent:
            writer.close()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the server at `url`."""
    async with Proxy(url).serving() as proxy:
        yield proxy
