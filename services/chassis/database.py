"""One database per service: one writer, several readers, a whole transaction per hop."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, DateTime, Engine, create_engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeDecorator

from services.chassis.kernel import StorageBusy, StorageFull

T = TypeVar("T")


class Database(Protocol):
    """Runs plain functions inside transactions; they see a connection and must not await or block on I/O."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one read-write transaction and commit it.

        Raises what `work` raised, `StorageBusy` or `StorageFull`, each after a rollback.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one read-only transaction with a consistent view."""

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
    """A SQLite file in WAL mode: one writer thread with one connection, a few reader threads.

    Durability: `synchronous=FULL`, so a commit that returned survives a power cut.
    """

    def __init__(self, path: Path | str, *, readers: int = 2, busy_timeout_ms: int = 2000) -> None:
        self.path = Path(path)
        self._write_engine = sqlite_engine(path, begin="BEGIN IMMEDIATE", busy_timeout_ms=busy_timeout_ms)
        self._read_engine = sqlite_engine(path, begin="BEGIN", busy_timeout_ms=busy_timeout_ms)
        name = self.path.stem
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-writer")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix=f"{name}-reader")
        self._local = threading.local()
        self._connections: list[Connection] = []

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._run(self._writer, self._write_engine, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._run(self._readers, self._read_engine, work)

    async def close(self) -> None:
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        for connection in self._connections:
            connection.close()

    async def _run(self, pool: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], T]) -> T:
        def transaction() -> T:
            connection = self._connection(engine)
            try:
                with connection.begin():
                    return work(connection)
            except OperationalError as error:
                raise _storage_error(error) from error

        return await asyncio.get_running_loop().run_in_executor(pool, transaction)

    def _connection(self, engine: Engine) -> Connection:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            try:
                connection = engine.connect()
            except OperationalError as error:
                raise _storage_error(error) from error
            self._local.connection = connection
            self._connections.append(connection)
        return connection


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
        connection.exec_driver_sql(begin)

    return engine


def _storage_error(error: OperationalError) -> Exception:
    text = str(error.orig)
    if "full" in text:
        return StorageFull("the database's disk is full")
    if any(word in text for word in ("locked", "busy", "disk I/O", "readonly", "unable to open")):
        return StorageBusy("the database cannot be used right now")
    return error
