"""PostgreSQL and MariaDB: a pool of connections, on which transactions are tried until they are through."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import greenlet_spawn

from services.chassis.database.drivers import DRIVERS
from services.chassis.database.troubles import Trouble, trouble
from services.chassis.database.turns import Turns
from services.chassis.kernel import OutcomeUnknown, StorageBusy, StorageFull
from services.chassis.logs import get_logger

T = TypeVar("T")

log = get_logger(__name__)

CONFLICTS = 12
"""Times that others may be in the way before somebody is told."""

RESTED_SECONDS = 1.0

NOT_FOR_READS = 3
"""Connections that callers' reads leave to the group commit and to what the service looks at for itself."""

ASKING_SECONDS = 10.0
"""How long it is tried to find out whether a commit was made."""

BEGIN_WRITING = {"postgresql": ("BEGIN",), "mariadb": ("START TRANSACTION",)}
BEGIN_READING = {
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",),
    "mariadb": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION READ ONLY"),
}
SCANNING: dict[str, tuple[str, ...]] = {"postgresql": ("SET LOCAL enable_seqscan = on",), "mariadb": ()}


@dataclass
class _Attempt(Generic[T]):
    """How far one try of a transaction has come."""

    begin: tuple[str, ...]
    work: Callable[[Connection], T]
    in_turn: bool = False
    result: T | None = None
    committing: bool = False


class ServerDatabase:
    """A database on a PostgreSQL or MariaDB server, which other processes use, too.

    Serialization failures, deadlocks and lost connections are tried again for `patience_seconds`; a statement, a
    lock or a whole transaction that takes longer than `longest_seconds` counts as lost. Connections that
    have rested are asked whether they are alive before they are used. `newest` tells for each new connection where to
    connect, and as whom. Callers' reads take turns on some of the connections, and are refused when their turn does
    not come within `longest_seconds`.
    """

    shared = True

    def __init__(
        self,
        url: URL,
        *,
        application: str = "tabling",
        connections: int = 10,
        patience_seconds: float = 2.0,
        longest_seconds: float = 5.0,
        newest: Callable[[], URL] | None = None,
    ) -> None:
        self._engine = server_engine(
            url, application=application, connections=connections, longest_seconds=longest_seconds
        )
        if newest:
            _connect_as(self._engine, newest)
        self._patience_seconds = patience_seconds
        self._longest_seconds = longest_seconds
        self._turns = Turns(max(1, connections - NOT_FOR_READS), longest_seconds)
        name = self._engine.dialect.name
        self._driver = DRIVERS[name]
        self._begin_writing, self._begin_reading = BEGIN_WRITING[name], BEGIN_READING[name]
        self._begin_scanning = (*self._begin_reading, *SCANNING[name])

    async def write(
        self, work: Callable[[Connection], T], took_effect: Callable[[Connection, T], bool] | None = None
    ) -> T:
        return await self._persist(self._begin_writing, work, took_effect, self._longest_seconds)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self._persist(self._begin_reading, work, None, self._longest_seconds, in_turn=True)

    async def look(self, work: Callable[[Connection], T]) -> T:
        return await self._persist((), work, None, self._longest_seconds)

    async def look_in_turn(self, work: Callable[[Connection], T]) -> T:
        return await self._persist((), work, None, self._longest_seconds, in_turn=True)

    async def scan(self, work: Callable[[Connection], T]) -> T:
        return await self._persist(self._begin_scanning, work, None, 2 * self._longest_seconds, in_turn=True)

    async def close(self) -> None:
        await greenlet_spawn(self._engine.dispose)

    async def _persist(
        self,
        begin: tuple[str, ...],
        work: Callable[[Connection], T],
        took_effect: Callable[[Connection, T], bool] | None,
        seconds: float,
        *,
        in_turn: bool = False,
    ) -> T:
        limit = time.monotonic() + self._patience_seconds
        for tries in itertools.count(1):
            attempt = _Attempt(begin, work, in_turn)
            try:
                return await self._try(attempt, seconds)
            except Exception as error:
                what = trouble(error)
                if attempt.committing and what is Trouble.GONE and begin is self._begin_writing:
                    if await self._was_made(attempt, took_effect):
                        return attempt.result  # type: ignore[return-value]
                else:
                    self._raise(error, what, tries, limit)
            await asyncio.sleep(random.uniform(0.5, 1.0) * min(0.005 * 2**tries, 0.2))  # noqa: S311 - jitter
        raise AssertionError("tried for ever")

    def _raise(self, error: Exception, what: Trouble, tries: int, limit: float) -> None:
        """Give up, unless trying again may help."""
        if what is Trouble.MISTAKE:
            raise error
        if what is Trouble.FULL:
            raise StorageFull("the database's disk is full") from error
        if what is Trouble.CONFLICT and tries >= CONFLICTS:
            raise error
        if what is Trouble.GONE and time.monotonic() > limit:
            raise StorageBusy("the database cannot be used right now") from error

    async def _try(self, attempt: _Attempt[T], seconds: float) -> T:
        async with asyncio.timeout(seconds), self._turns.one() if attempt.in_turn else nullcontext():
            return await greenlet_spawn(self._connected, self._transact, attempt)

    def _connected(self, run: Callable[[Connection, _Attempt[T]], T], attempt: _Attempt[T]) -> T:
        with self._engine.connect() as connection:
            return run(connection, attempt)

    def _transact(self, connection: Connection, attempt: _Attempt[T]) -> T:
        try:
            for statement in attempt.begin:
                self._driver.execute(connection, statement, ())
            attempt.result = attempt.work(connection)
        except BaseException as error:
            self._undo(connection, attempt, error)
            raise
        if not attempt.begin:
            return attempt.result
        attempt.committing = True
        try:
            self._driver.execute(connection, "COMMIT", ())
        except BaseException:
            _let_go(connection)
            raise
        return attempt.result

    def _undo(self, connection: Connection, attempt: _Attempt[T], error: BaseException) -> None:
        if connection.invalidated or not isinstance(error, Exception) or trouble(error) is Trouble.GONE:
            return _let_go(connection)
        if not attempt.begin:
            return None
        try:
            self._driver.execute(connection, "ROLLBACK", ())
        except BaseException:
            _let_go(connection)
            raise
        return None

    async def _was_made(self, attempt: _Attempt[T], took_effect: Callable[[Connection, T], bool] | None) -> bool:
        """Whether a commit that nobody confirmed was made. Raises `OutcomeUnknown`."""
        log.warning("commit not confirmed")
        if took_effect is None:
            raise OutcomeUnknown("the connection was lost during the commit")
        limit = time.monotonic() + ASKING_SECONDS
        ask: _Attempt[bool]
        while True:
            # told by raising, so that the question leaves nothing behind
            ask = _Attempt(self._begin_writing, lambda c: took_effect(c, attempt.result))  # type: ignore[arg-type]
            try:
                async with asyncio.timeout(self._longest_seconds):
                    return await greenlet_spawn(self._connected, self._ask, ask)
            except Exception as error:
                if trouble(error) is Trouble.MISTAKE:
                    raise
                if time.monotonic() > limit:
                    raise OutcomeUnknown("the connection was lost during the commit") from error
            await asyncio.sleep(0.1)

    def _ask(self, connection: Connection, ask: _Attempt[bool]) -> bool:
        try:
            for statement in ask.begin:
                self._driver.execute(connection, statement, ())
            answer = ask.work(connection)
            self._driver.execute(connection, "ROLLBACK", ())
        except BaseException:
            _let_go(connection)
            raise
        return answer


def server_engine(
    url: URL, *, application: str = "tabling", connections: int = 10, longest_seconds: float = 5.0
) -> Engine:
    """An engine on a server, with the settings that every connection of ours has. Transactions are begun by hand.

    Its driver is asynchronous: it works inside `greenlet_spawn` only.
    """
    arguments = _postgresql if url.get_backend_name() == "postgresql" else _mariadb
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=longest_seconds,
        # the connection that was used last: its statements are prepared, and the server has it at hand
        pool_use_lifo=True,
        pool_reset_on_return=None,
        connect_args=arguments(application, longest_seconds),
        # its errors are logged, and say what went wrong without quoting anybody's data
        hide_parameters=True,
    )
    _ask_whether_alive(engine)
    return engine


def _connect_as(engine: Engine, newest: Callable[[], URL]) -> None:
    """Whoever it is who may connect changes while we run."""

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _: Any, __: Any, options: dict[str, Any]) -> None:
        options |= dialect.create_connect_args(newest())[1]


def _ask_whether_alive(engine: Engine) -> None:
    """Before it is used, a connection that has rested is asked; one that was just used need not be."""

    @event.listens_for(engine, "checkin")
    def rest(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", time.monotonic()) < RESTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            # the pool then makes a new one
            raise DisconnectionError("the connection was lost while it rested") from error


def _postgresql(application: str, longest_seconds: float) -> dict[str, Any]:
    milliseconds = str(round(longest_seconds * 1000))
    settings = {
        "application_name": application,
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": str(round(longest_seconds * 2000)),
        "jit": "off",
        # a plan is kept: one that was made while a table was empty must still be good when it is full
        "enable_seqscan": "off",
        "timezone": "UTC",
    }
    # the driver prepares a longer text anew each time, and all that a transaction writes is one text
    return {"timeout": longest_seconds, "server_settings": settings, "max_cacheable_statement_size": 256 * 1024}


def _mariadb(application: str, longest_seconds: float) -> dict[str, Any]:
    settings = (
        "SET SESSION tx_isolation = 'READ-COMMITTED', time_zone = '+00:00', "
        f"innodb_lock_wait_timeout = {max(1, round(longest_seconds))}, max_statement_time = {longest_seconds}"
    )
    return {"connect_timeout": longest_seconds, "charset": "utf8mb4", "init_command": settings}


def _let_go(connection: Connection) -> None:
    """End the connection at once, without a word to a server that may not answer."""
    if connection.invalidated:
        return
    raw: Any = connection.connection.driver_connection
    raw.terminate() if hasattr(raw, "terminate") else raw.close()
    connection.invalidate()
