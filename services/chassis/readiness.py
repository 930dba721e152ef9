"""Readiness: whether a service can do its work, as Kubernetes asks before it sends anybody."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection, select

from services.chassis.database import Database
from services.chassis.kernel import DomainError
from services.chassis.logs import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 5.0
RETRY_SECONDS = 1.0


class Readiness:
    """A service is ready while its database answers. Without its broker it still is: events wait in the outbox.

    `say(ready)` is told at first and whenever it changes.
    """

    def __init__(self, database: Database, say: Callable[[bool], Awaitable[None]]) -> None:
        self._database = database
        self._say = say

    async def serve(self) -> None:
        """Look after it until cancelled."""
        told: bool | None = None
        while True:
            ready = await self._answers()
            if ready is not told:
                await self._say(ready)
                if not ready:
                    log.warning("not ready: the database does not answer")
                elif told is False:
                    log.info("ready again")
            told = ready
            await asyncio.sleep(LOOK_SECONDS if ready else RETRY_SECONDS)

    async def _answers(self) -> bool:
        try:
            await self._database.look(_ask)
        except DomainError:
            return False
        return True


def _ask(connection: Connection) -> None:
    connection.execute(select(1))
