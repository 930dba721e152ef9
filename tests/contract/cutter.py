"""A wire to a server that breaks at a chosen word: before the server hears it, or before its answer comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum


class Cut(Enum):
    """Where the wire breaks."""

    BEFORE = "before the server hears it"
    AFTER = "before the answer comes back"


class Cutter:
    """Passes bytes on between clients and one server, until told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._word = b""
        self._cut = Cut.BEFORE
        self._then: Callable[[], None] = lambda: None
        self._dead = False
        self._passing = asyncio.Event()
        self._passing.set()
        self._wires: set[asyncio.StreamWriter] = set()
        self.cuts = 0
        self.port = 0

    def arm(self, word: bytes, cut: Cut, then: Callable[[], None] = lambda: None) -> None:
        """Break the connection, once, on which a client says this word next; right before it hears of it, do `then`."""
        self._word, self._cut, self._then = word, cut, then

    @asynccontextmanager
    async def dead(self) -> AsyncIterator[None]:
        """No connection is left, and none can be made."""
        self._dead = True
        for wire in [*self._wires]:
            wire.close()
        yield
        self._dead = False

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        """All connections stay, and nothing comes through."""
        self._passing.clear()
        yield
        self._passing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self._dead:
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection(*self._target)
        self._wires |= {writer, to_server}
        back = asyncio.create_task(self._pass_on(from_server, writer))
        try:
            with suppress(ConnectionError):  # either side may leave whenever it likes
                await self._listen(reader, from_server, to_server, back)
        finally:
            back.cancel()
            self._wires -= {writer, to_server}
            for side in (writer, to_server):
                side.close()

    async def _listen(
        self,
        reader: asyncio.StreamReader,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        back: "asyncio.Task[None]",
    ) -> None:
        while data := await reader.read(65536):
            await self._passing.wait()
            if self._word and self._word in data:
                self._word = b""
                self.cuts += 1
                back.cancel()
                await asyncio.wait([back])
                if self._cut is Cut.AFTER:
                    to_server.write(data)
                    await from_server.read(65536)
                self._then()
                return
            to_server.write(data)
            await to_server.drain()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
            writer.close()


@asynccontextmanager
async def cutter(host: str, port: int) -> AsyncIterator[Cutter]:
    """A wire to host:port, itself listening on 127.0.0.1 and a port of its own."""
    wire = Cutter(host, port)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
