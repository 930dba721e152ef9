"""SQLite: one writer, short reads, and scans that keep nobody waiting."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Transaction, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from services.chassis.database.maths import can_reckon, teach
from services.chassis.kernel import StorageBusy, StorageFull

T = TypeVar("T")


class SqliteDatabase:
    """A SQLite file in WAL mode, one writer at a time.

    Statements run on the event loop's own thread: they take microseconds, and threads that compete for the
    interpreter would cost each of them milliseconds. What waits for the disk, the commit, runs on a thread of
    its own, and so do scans. Durability: `synchronous=FULL`, so a commit that returned survives a power cut.
    """

    shared = False

    def __init__(self, path: Path | str, *, busy_seconds: float = 2.0) -> None:
        self.path = Path(path)
        self._busy_seconds = busy_seconds
        self._write_engine = sqlite_engine(path, begin="BEGIN IMMEDIATE", busy_timeout_ms=0)
        self._read_engine = sqlite_engine(path, begin="BEGIN", busy_timeout_ms=0)
        self._committer = ThreadPoolExecutor(1, thread_name_prefix=f"{self.path.stem}-commit")
        self._scanner = ThreadPoolExecutor(1, thread_name_prefix=f"{self.path.stem}-scan")
        self._connections: dict[str, Connection] = {}
        self._writing = asyncio.Lock()

    async def write(
        self, work: Callable[[Connection], T], took_effect: Callable[[Connection, T], bool] | None = None
    ) -> T:
        # a commit to a file either returned or failed: nothing has to be asked afterwards
        async with self._writing:
            with _translated():
                transaction = await self._begin()
                try:
                    result = work(self._connection("write", self._write_engine))
                except BaseException:
                    transaction.rollback()
                    raise
                await self._commit(transaction)
                return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        return self._read("read", work)

    async def look(self, work: Callable[[Connection], T]) -> T:
        return await self.read(work)

    async def look_in_turn(self, work: Callable[[Connection], T]) -> T:
        return await self.read(work)

    async def scan(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._scanner, self._read, "scan", work)

    async def close(self) -> None:
        self._committer.shutdown(wait=True)
        self._scanner.shutdown(wait=True)
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _read(self, role: str, work: Callable[[Connection], T]) -> T:
        with _translated():
            connection = self._connection(role, self._read_engine)
            with connection.begin():
                return work(connection)

    async def _begin(self) -> Transaction:
        """Begin to write; another process that writes is waited for without blocking the loop."""
        limit = time.monotonic() + self._busy_seconds
        while True:
            connection = self._connection("write", self._write_engine)
            try:
                return connection.begin()
            except sqlite3.OperationalError as error:
                connection.rollback()
                if "locked" not in str(error) or time.monotonic() > limit:
                    raise
            await asyncio.sleep(0.005)

    async def _commit(self, transaction: Transaction) -> None:
        committing = asyncio.get_running_loop().run_in_executor(self._committer, transaction.commit)
        try:
            await asyncio.shield(committing)
        except asyncio.CancelledError:
            await asyncio.wait([committing])
            raise
        except BaseException:
            transaction.rollback()
            raise

    def _connection(self, role: str, engine: Engine) -> Connection:
        connection = self._connections.get(role)
        if connection is None:
            connection = self._connections[role] = engine.connect()
        return connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        raise _storage_error(error) from error


def sqlite_engine(path: Path | str, *, begin: str = "BEGIN", busy_timeout_ms: int = 2000) -> Engine:
    """An engine on a SQLite file, with the settings that every connection of ours has."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool,
        connect_args={"check_same_thread": False},
        # its errors are logged, and say what went wrong without quoting anybody's data
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _settings(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            f"busy_timeout={busy_timeout_ms}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if not can_reckon(connection):
            teach(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        sqlite_connection(connection).execute(begin)

    return engine


def sqlite_connection(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection, inside the same transaction. Its errors are the driver's."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - only asked of SQLite
    return raw


def _storage_error(error: OperationalError | sqlite3.OperationalError) -> Exception:
    text = str(error.orig if isinstance(error, OperationalError) else error)
    if "full" in text:
        return StorageFull("the database's disk is full")
    if any(word in text for word in ("locked", "busy", "disk I/O", "readonly", "unable to open")):
        return StorageBusy("the database cannot be used right now")
    return error
