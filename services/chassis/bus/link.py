"""A connection to RabbitMQ that comes back by itself, whatever ended it."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed
from yarl import URL

from services.chassis.logs import get_logger
from services.chassis.mounted import newest

HEARTBEAT_SECONDS = 5
"""A peer that fell silent is given up after about three of these."""

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

# aiormq: a channel that was closed meanwhile is a RuntimeError
LOST = (AMQPError, OSError, RuntimeError, TimeoutError)
"""What a lost connection shows itself as."""

Session = Callable[[AbstractConnection], Awaitable[None]]
"""Sets up what a connection is for, and returns or raises once that is over."""

log = get_logger(__name__)


class Link:
    """Connects, runs a session, and begins again from nothing when the session is over.

    One way back for everything: broker restarted, connection lost, channel closed, queue deleted. `tried` is set once
    the first attempt has succeeded or failed.
    """

    def __init__(self, url: str, name: str, session: Session) -> None:
        for library in ("aiormq", "aio_pika"):
            # what matters of what they say is told below, once, and in the form of all our lines
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self.tried = asyncio.Event()
        self._given = url
        self._name = name
        self._session = session
        self._trouble = ""

    def connected(self) -> None:
        """Called by a session once it is set up."""
        log.info("broker connected", link=self._name)
        self._trouble = ""
        self.tried.set()

    async def serve(self) -> None:
        """Keep the connection until cancelled."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                with translated():
                    async with connection_to(self._address(), self._name) as connection:
                        await self._session(connection)
                self._tell("session over")
            except ChannelPreconditionFailed as error:
                log.error("the broker has something with other arguments", link=self._name, error=str(error))
            except LOST as error:
                self._tell(type(error).__name__)
            except Exception as error:
                log.error("broker session failed", link=self._name, exc_info=error)
            self.tried.set()
            settled = time.monotonic() - began > CONNECT_SECONDS + LONGEST_PAUSE_SECONDS
            pause = FIRST_PAUSE_SECONDS if settled else min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("broker not connected", link=self._name, error=trouble)
        self._trouble = trouble

    def _address(self) -> URL:
        """Read anew each time: passwords are changed."""
        url = URL(newest(self._given))
        return url if "heartbeat" in url.query else url.update_query(heartbeat=HEARTBEAT_SECONDS)


@asynccontextmanager
async def connection_to(url: URL, name: str, seconds: float = CONNECT_SECONDS) -> AsyncIterator[AbstractConnection]:
    """A connection for the length of the block, which has so many seconds to come about."""
    connection = aio_pika.Connection(url, client_properties={"connection_name": name})
    try:
        async with asyncio.timeout(seconds):
            await connection.connect()
        yield connection
    finally:
        try:
            # a broker with an alarm does not read what a publisher says, its good-bye included
            with suppress(*LOST):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()
        finally:
            # what was not closed would close itself when it is forgotten, with no event loop to do it on
            await connection.close()


@contextmanager
def translated() -> Iterator[None]:
    """Tell a lost connection from a cancellation: aiormq ends what waits for it with either, or for no reason."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionError("the connection to the broker was lost") from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise ConnectionError("the connection to the broker was lost") from error


async def watch(channel: AbstractChannel, over: asyncio.Event) -> None:
    """Set `over` when the channel is closed or the broker ends one of its consumers."""

    def end(*_: object) -> None:
        over.set()

    channel.close_callbacks.add(end)
    (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(end)
