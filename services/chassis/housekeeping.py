"""Housekeeping: forget what no longer matters, a little at a time."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.sql import ColumnElement

from services.chassis.bulk import delete_keys
from services.chassis.clock import Clock
from services.chassis.group_commit import GroupCommit
from services.chassis.kernel import DomainError
from services.chassis.logs import get_logger
from services.chassis.unit_of_work import UnitOfWork

log = get_logger(__name__)

# longer than any message can come again, and than any caller repeats a request
KEEP_INBOX = timedelta(days=7)
KEEP_REQUESTS = timedelta(days=2)
EVERY_SECONDS = 600.0
ROWS_AT_ONCE = 1000


async def prune_forever(lane: GroupCommit[Any], clock: Clock) -> None:
    """Delete old inbox ids and old answers until cancelled."""
    while True:
        try:
            await lane.run(_prune, bounded=False)
        except DomainError as error:
            log.warning("nothing pruned", error=error.reason)
        await clock.sleep_until(clock.now() + timedelta(seconds=EVERY_SECONDS))
        await asyncio.sleep(0)


def _prune(uow: UnitOfWork) -> None:
    inbox, requests = uow.table("inbox"), uow.table("requests")
    _delete_some(uow, inbox, inbox.c.applied_at < uow.now - KEEP_INBOX)
    _delete_some(uow, requests, requests.c.created_at < uow.now - KEEP_REQUESTS)


def _delete_some(uow: UnitOfWork, table: Table, old: ColumnElement[bool]) -> None:
    some = uow.connection.execute(select(table.c.id).where(old).limit(ROWS_AT_ONCE)).scalars().all()
    delete_keys(uow.connection, table, some)
