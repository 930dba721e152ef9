"""One database per service: one writer, short reads, and scans that keep nobody waiting."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, DateTime, Engine, Transaction, create_engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeDecorator

from services.chassis.kernel import StorageBusy, StorageFull
from services.chassis.statements import driver

T = TypeVar("T")


class Database(Protocol):
    """Runs plain functions inside transactions; they see a connection and must not await or block on I/O."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one read-write transaction and commit it.

        Raises what `work` raised, `StorageBusy` or `StorageFull`, each after a rollback.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a short `work`, by key or a page at most, in one read-only transaction with a consistent view."""

    async def scan(self, work: Callable[[Connection], T]) -> T:
        """Like `read`, for work that looks at many rows."""

    async def close(self) -> None:
        """Finish what runs and let go of all connections."""


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC datetimes, microsecond resolution; stored naive where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None or value.tzinfo is UTC else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.replace(tzinfo=UTC)


class SqliteDatabase:
    """A SQLite file in WAL mode, one writer at a time.

    Statements run on the event loop's own thread: they take microseconds, and threads that compete for the
    interpreter would cost each of them milliseconds. What waits for the disk, the commit, runs on a thread of
    its own, and so do scans. Durability: `synchronous=FULL`, so a commit that returned survives a power cut.
    """

    def __init__(self, path: Path | str, *, busy_seconds: float = 2.0) -> None:
        self.path = Path(path)
        self._busy_seconds = busy_seconds
        self._write_engine = sqlite_engine(path, begin="BEGIN IMMEDIATE", busy_timeout_ms=0)
        self._read_engine = sqlite_engine(path, begin="BEGIN", busy_timeout_ms=0)
        self._committer = ThreadPoolExecutor(1, thread_name_prefix=f"{self.path.stem}-commit")
        self._scanner = ThreadPoolExecutor(1, thread_name_prefix=f"{self.path.stem}-scan")
        self._connections: dict[str, Connection] = {}
        self._writing = asyncio.Lock()

    async def write(self, work: Callable[[Connection], T]) -> T:
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
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"check_same_thread": False})

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

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver(connection).execute(begin)

    return engine


def _storage_error(error: OperationalError | sqlite3.OperationalError) -> Exception:
    text = str(error.orig if isinstance(error, OperationalError) else error)
    if "full" in text:
        return StorageFull("the database's disk is full")
    if any(word in text for word in ("locked", "busy", "disk I/O", "readonly", "unable to open")):
        return StorageBusy("the database cannot be used right now")
    return error
