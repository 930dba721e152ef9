"""One database per service, on SQLite, PostgreSQL or MariaDB: plain functions, run inside transactions."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Database(Protocol):
    """Runs plain functions inside transactions; they see a connection and must not await or block on other I/O.

    `shared`: other processes may write to it, too.
    """

    shared: bool

    async def write(
        self, work: Callable[[Connection], T], took_effect: Callable[[Connection, T], bool] | None = None
    ) -> T:
        """Run `work` in one read-write transaction and commit it.

        `work` may be run again, after a rollback, when others were in its way. Where the connection is lost while
        the commit is under way, `took_effect(connection, result)` tells, in a new transaction that is rolled back,
        whether it was made.

        Raises what `work` raised, `StorageBusy` or `StorageFull`, each after a rollback, and `OutcomeUnknown` when
        it could not be found out whether the commit was made.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a short `work`, by key or a page at most, in one read-only transaction with a consistent view.

        Reads take turns; they never take the last connections. Raises `StorageBusy` when the turn does not come.
        """

    async def look(self, work: Callable[[Connection], T]) -> T:
        """Like `read`, with nothing around it: each statement sees what is committed when it runs.

        For what a service asks for itself, a few at a time: it does not wait for callers' reads.
        """

    async def look_in_turn(self, work: Callable[[Connection], T]) -> T:
        """Like `look`, for callers, however many there are: takes turns with their other reads."""

    async def scan(self, work: Callable[[Connection], T]) -> T:
        """Like `read`, for work that looks at many rows."""

    async def close(self) -> None:
        """Finish what runs and let go of all connections."""
