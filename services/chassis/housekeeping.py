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

PAUSE_SECONDS = 0.5
"""While more is left, others have the database to themselves for so long in between."""


async def prune_forever(lane: GroupCommit[Any], clock: Clock) -> None:
    """Delete all old inbox ids and old answers every now and then, until cancelled."""
    while True:
        more = False
        try:
            more = await lane.run(_prune, bounded=False)
        except DomainError as error:
            log.warning("nothing pruned", error=error.reason)
        if more:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            await clock.sleep_until(clock.now() + timedelta(seconds=EVERY_SECONDS))
            await asyncio.sleep(0)


def _prune(uow: UnitOfWork) -> bool:
    """True when there may be more."""
    inbox, requests = uow.table("inbox"), uow.table("requests")
    ids = _delete_some(uow, inbox, inbox.c.applied_at < uow.now - KEEP_INBOX)
    answers = _delete_some(uow, requests, requests.c.created_at < uow.now - KEEP_REQUESTS)
    return max(ids, answers) == ROWS_AT_ONCE


def _delete_some(uow: UnitOfWork, table: Table, old: ColumnElement[bool]) -> int:
    # each of several processes takes others
    statement = select(table.c.id).where(old).limit(ROWS_AT_ONCE).with_for_update(skip_locked=True)
    return delete_keys(uow.connection, table, uow.connection.execute(statement).scalars().all())
