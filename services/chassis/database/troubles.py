"""What went wrong in a database server, told from its drivers' errors."""

import asyncio
from enum import Enum, auto
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.chassis.kernel import Conflict


class Trouble(Enum):
    """What can be done about an error."""

    CONFLICT = auto()
    """Others were in the way: run it again."""

    GONE = auto()
    """The server or the connection is: connect again."""

    FULL = auto()
    """The server's disk is full."""

    MISTAKE = auto()
    """Ours: running it again helps nobody."""


# https://www.postgresql.org/docs/current/errcodes-appendix.html
POSTGRESQL = {
    "40001": Trouble.CONFLICT,  # serialization_failure
    "40P01": Trouble.CONFLICT,  # deadlock_detected
    "55P03": Trouble.CONFLICT,  # lock_not_available
    "23505": Trouble.CONFLICT,  # unique_violation: somebody else had the same idea
    "0A000": Trouble.CONFLICT,  # a cached plan that a migration made invalid
    "25P03": Trouble.GONE,  # idle_in_transaction_session_timeout
    "25006": Trouble.GONE,  # read_only_sql_transaction: no longer the primary
    "53100": Trouble.FULL,  # disk_full
}
POSTGRESQL_CLASSES = {
    "08": Trouble.GONE,  # connection_exception
    "28": Trouble.GONE,  # invalid_authorization: the password was changed, and ours is not the newest yet
    "3D": Trouble.GONE,  # invalid_catalog_name: somebody restores it
    "53": Trouble.GONE,  # insufficient_resources, too_many_connections
    "57": Trouble.GONE,  # operator_intervention: shut down, or a statement that took too long
    "58": Trouble.GONE,  # system_error
}
# https://mariadb.com/kb/en/mariadb-error-code-reference/
MARIADB = {
    1213: Trouble.CONFLICT,  # deadlock
    1205: Trouble.CONFLICT,  # lock wait timeout
    1020: Trouble.CONFLICT,  # record has changed since last read
    1062: Trouble.CONFLICT,  # duplicate entry
    1040: Trouble.GONE,  # too many connections
    1203: Trouble.GONE,  # too many connections of this user
    1226: Trouble.GONE,  # this user has used up what it may
    1037: Trouble.GONE,
    1041: Trouble.GONE,
    1135: Trouble.GONE,  # out of memory, or of threads
    1045: Trouble.GONE,  # access denied: the password was changed, and ours is not the newest yet
    1047: Trouble.GONE,  # a node of Galera that is not part of the majority, or not yet
    1049: Trouble.GONE,  # unknown database: somebody restores it
    1129: Trouble.GONE,  # host is blocked
    1317: Trouble.GONE,  # query was killed
    1053: Trouble.GONE,  # shutdown in progress
    1152: Trouble.GONE,  # aborted connection
    1158: Trouble.GONE,
    1159: Trouble.GONE,
    1160: Trouble.GONE,
    1161: Trouble.GONE,  # network errors
    1290: Trouble.GONE,  # read only
    1836: Trouble.GONE,  # read only
    1927: Trouble.GONE,  # connection was killed
    1969: Trouble.GONE,  # max_statement_time
    2002: Trouble.GONE,
    2003: Trouble.GONE,
    2006: Trouble.GONE,
    2013: Trouble.GONE,
    2014: Trouble.GONE,
    2055: Trouble.GONE,  # connection lost
    1021: Trouble.FULL,  # disk full
    1114: Trouble.FULL,  # table full
}
LOST = (OSError, EOFError, PoolTimeout, asyncio.TimeoutError, asyncio.IncompleteReadError)


def trouble(error: BaseException) -> Trouble:
    """What kind of error this is, whichever layer raised it."""
    if isinstance(error, Conflict):
        return Trouble.CONFLICT
    if isinstance(error, LOST):
        return Trouble.GONE
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return Trouble.GONE
        return trouble(error.orig) if error.orig is not None else Trouble.MISTAKE
    module = type(error).__module__.partition(".")[0]
    if module == "asyncmy":
        # MariaDB's states are coarser than its numbers: 23000 is a duplicate, and much else
        arguments: tuple[Any, ...] = error.args
        return MARIADB.get(arguments[0], Trouble.MISTAKE) if arguments else Trouble.GONE
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return POSTGRESQL.get(state) or POSTGRESQL_CLASSES.get(state[:2], Trouble.MISTAKE)
    return _without_state(error, module)


def _without_state(error: BaseException, module: str) -> Trouble:
    if module == "asyncpg":
        # what a server says unasked, such as why it ends the connection, is an operation under way to the next call
        if type(error).__name__ == "InternalClientError":
            return Trouble.GONE
        # its InterfaceError stands for lost connections and for wrong calls
        return Trouble.GONE if "connection" in str(error) and "in progress" not in str(error) else Trouble.MISTAKE
    return trouble(error.__cause__) if module == "sqlalchemy" and error.__cause__ else Trouble.MISTAKE
