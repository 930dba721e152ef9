"""What can be done about an error of a database's driver."""

import asyncpg
import pytest

from services.chassis.database.troubles import Trouble, trouble

GONE = [
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.InterfaceError("connection is closed"),
    # the server said why it ends the connection, and has not ended it yet
    asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
    asyncpg.CrashShutdownError("terminating connection because of crash of another server process"),
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
