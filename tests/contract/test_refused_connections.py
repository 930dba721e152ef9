"""Users whom a server refuses for a while: their password was changed, or they have as many connections as they may."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlalchemy import Connection, make_url, text

from services.chassis.database.address import parse
from services.chassis.database.server import ServerDatabase
from services.chassis.kernel import StorageBusy
from services.chassis.testing import eventually
from tests.conftest import Kind

MADE = {
    "postgresql": ("CREATE ROLE {user} LOGIN PASSWORD 'ours' CONNECTION LIMIT 1",),
    "mariadb": (
        "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'ours' WITH MAX_USER_CONNECTIONS 1",
        "GRANT ALL ON `{database}`.* TO {user}@'127.0.0.1'",
    ),
}
CHANGED = {
    "postgresql": "ALTER ROLE {user} PASSWORD '{to}'",
    "mariadb": "ALTER USER {user}@'127.0.0.1' IDENTIFIED BY '{to}'",
}
MANY = {
    "postgresql": "ALTER ROLE {user} CONNECTION LIMIT -1",
    "mariadb": "ALTER USER {user}@'127.0.0.1' WITH MAX_USER_CONNECTIONS 0",
}


@dataclass
class Guest:
    """A user of a server, and its operator."""

    kind: str
    names: dict[str, str]
    address: str
    operator: ServerDatabase
    stack: AsyncExitStack

    async def told(self, statements: Sequence[str], **more: str) -> None:
        """The operator says this."""

        def say(connection: Connection) -> None:
            for statement in statements:
                connection.execute(text(statement.format(**self.names, **more)))

        await self.operator.look(say)

    def connected(self) -> ServerDatabase:
        """The database as the user reaches it, by connections of its own."""
        database = ServerDatabase(parse(self.address), patience_seconds=0.5)
        self.stack.push_async_callback(database.close)
        return database


@pytest_asyncio.fixture(params=["postgresql", "mariadb"])
async def guest(
    request: pytest.FixtureRequest, fresh_database: Callable[[Kind], str], fresh_name: Callable[[], str]
) -> AsyncIterator[Guest]:
    """A user that may have one connection."""
    url, user = make_url(fresh_database(request.param)), fresh_name()
    address = url.set(username=user, password="ours").render_as_string(hide_password=False)
    async with AsyncExitStack() as stack:
        operator = ServerDatabase(parse(url.render_as_string(hide_password=False)))
        stack.push_async_callback(operator.close)
        found = Guest(request.param, {"user": user, "database": str(url.database)}, address, operator, stack)
        await found.told(MADE[request.param])
        yield found


async def asked(database: ServerDatabase) -> int:
    return await database.look(lambda connection: int(connection.execute(text("SELECT 1")).scalar_one()))


async def test_a_password_that_was_changed_is_waited_for(guest: Guest) -> None:
    database = guest.connected()
    await guest.told([CHANGED[guest.kind]], to="theirs")
    with pytest.raises(StorageBusy):
        await asked(database)
    await guest.told([CHANGED[guest.kind]], to="ours")
    assert await eventually(lambda: asked(database)) == 1


async def test_who_has_all_the_connections_it_may_have_waits_for_one(guest: Guest) -> None:
    first, second = guest.connected(), guest.connected()
    assert await asked(first) == 1
    with pytest.raises(StorageBusy):
        await asked(second)
    await guest.told([MANY[guest.kind]])
    assert await eventually(lambda: asked(second)) == 1
