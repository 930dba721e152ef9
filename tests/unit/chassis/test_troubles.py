"""What can be done about an error of a database's driver."""

import asyncmy.errors
import asyncpg
import pytest

from services.chassis.database.troubles import Trouble, trouble

GONE = [
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.InterfaceError("connection is closed"),
    # the server said why it ends the connection, and has not ended it yet
    asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
    asyncpg.CrashShutdownError("terminating connection because of crash of another server process"),
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    asyncpg.OutOfMemoryError("out of memory"),
    asyncpg.InvalidPasswordError("password authentication failed"),
    asyncpg.InvalidCatalogNameError("database does not exist"),
    asyncmy.errors.OperationalError(1129, "Host is blocked because of many connection errors"),
    asyncmy.errors.OperationalError(1317, "Query execution was interrupted"),
]
OURS = [
    asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
    asyncpg.UndefinedTableError("relation does not exist"),
]


@pytest.mark.parametrize("error", GONE, ids=str)
def test_a_connection_that_ends_however_is_tried_again(error: Exception) -> None:
    assert trouble(error) is Trouble.GONE


@pytest.mark.parametrize("error", OURS, ids=str)
def test_our_own_mistakes_are_not_tried_again(error: Exception) -> None:
    assert trouble(error) is Trouble.MISTAKE
