"""The services' databases, opened for a command; what is in the way is told with what to type."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from services.chassis.database import Database
from services.chassis.database.address import is_sqlite, parse, shown, sqlite_path
from services.chassis.database.opening import open_database
from services.chassis.kernel import OutcomeUnknown, StorageBusy, StorageFull
from services.chassis.migrate import DatabaseUnusable, newest, revision
from services.operations.surroundings import Surroundings

T = TypeVar("T")

PATIENCE_SECONDS = 2.0
QUICKLY_SECONDS = 5.0
LONGEST_SECONDS = 120.0
"""An operator waits longer than a caller, for instance for a table to be read from its beginning to its end."""


@asynccontextmanager
async def opened(service: str, address: str) -> AsyncIterator[Database]:
    """A service's database, of a revision that this code can use.

    Raises `DatabaseUnusable`, also instead of what goes wrong with the database inside the block.
    """
    async with reached(service, address) as database:
        present, wanted = await database.read(revision), newest(service)
        if present is None or present < wanted:
            raise DatabaseUnusable(
                f"the database of {service}, {shown(address)}, is at revision {present}, wanted is {wanted}: "
                f"type `scripts/ops migrate {service}`"
            )
        if not database.shared:
            yield database
            return
    # now that it is known to answer
    async with reached(service, address, LONGEST_SECONDS) as database:
        yield database


@asynccontextmanager
async def reached(service: str, address: str, longest_seconds: float = QUICKLY_SECONDS) -> AsyncIterator[Database]:
    """A service's database, of whatever revision. Raises `DatabaseUnusable` as `opened` does."""
    require_there(service, address)
    with told(service, address):
        database = open_database(address, application="tabling operations", longest_seconds=longest_seconds)
        try:
            yield _Patient(database)
        finally:
            await database.close()


@asynccontextmanager
async def all_opened(around: Surroundings, services: Iterable[str]) -> AsyncIterator[Mapping[str, Database]]:
    """The databases of several services. Raises `SettingsError`, `DatabaseUnusable`."""
    addresses = {service: around.settings(service).database for service in services}
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(opened(name, address)) for name, address in addresses.items()}


class _Patient:
    """A database that is asked again while it is busy: a file is, for a moment, when somebody else opens it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.shared = database.shared

    async def write(
        self, work: Callable[[Connection], T], took_effect: Callable[[Connection, T], bool] | None = None
    ) -> T:
        return await _persist(lambda: self._database.write(work, took_effect))

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await _persist(lambda: self._database.read(work))

    async def look(self, work: Callable[[Connection], T]) -> T:
        return await _persist(lambda: self._database.look(work))

    async def look_in_turn(self, work: Callable[[Connection], T]) -> T:
        return await _persist(lambda: self._database.look_in_turn(work))

    async def scan(self, work: Callable[[Connection], T]) -> T:
        return await _persist(lambda: self._database.scan(work))

    async def close(self) -> None:
        await self._database.close()


async def _persist(work: Callable[[], Awaitable[T]]) -> T:
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await work()
        except StorageBusy:
            if time.monotonic() > limit:
                raise
        await asyncio.sleep(0.05)


async def ask(around: Surroundings, services: Iterable[str], question: Callable[[str, Connection], T]) -> dict[str, T]:
    """What `question(service, connection)` answers for each service, in a read-only transaction each."""
    async with all_opened(around, services) as databases:
        return {name: await each.scan(partial(question, name)) for name, each in databases.items()}


async def change(around: Surroundings, services: Iterable[str], work: Callable[[str, Connection], T]) -> dict[str, T]:
    """What `work(service, connection)` gives for each service, in a transaction each."""
    async with all_opened(around, services) as databases:
        return {name: await each.write(partial(work, name)) for name, each in databases.items()}


def require_there(service: str, address: str) -> None:
    """Raises `DatabaseUnusable` for a file that is not there: looking must not make one."""
    url = parse(address)
    if is_sqlite(url) and not sqlite_path(url).exists():
        raise DatabaseUnusable(
            f"the database of {service}, {shown(address)}, does not exist: name the data folder with --data, "
            f"or make it with `scripts/ops migrate {service}`"
        )


@contextmanager
def told(service: str, address: str) -> Iterator[None]:
    """Troubles with a database as `DatabaseUnusable`."""
    try:
        yield
    except (StorageBusy, StorageFull, OutcomeUnknown, DBAPIError, sqlite3.Error) as error:
        raise DatabaseUnusable(f"the database of {service}, {shown(address)}, cannot be used: {why(error)}") from error


def why(error: BaseException) -> str:
    """The first cause in words, on one line."""
    while (cause := getattr(error, "orig", None) or error.__cause__) is not None:
        error = cause
    return " ".join(str(error).split()) or type(error).__name__
