"""Housekeeping: forget what no longer matters, a little at a time."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Table, select
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


Chore = Callable[[Any, int], int]
"""`chore(uow, most)`: does some of what there is to do, `most` rows at most; gives how many it were."""


async def keep_house(lane: GroupCommit[Any], clock: Clock, chores: Sequence[Chore] = ()) -> None:
    """Prune, and do these chores, every now and then, until cancelled."""
    todo: list[Chore] = [prune, *chores]
    while True:
        if todo := [chore for chore in todo if await _is_left(chore, lane)]:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            await clock.sleep_until(clock.now() + timedelta(seconds=EVERY_SECONDS))
            todo = [prune, *chores]
            await asyncio.sleep(0)


async def _is_left(chore: Chore, lane: GroupCommit[Any]) -> bool:
    try:
        # so heavy that no other work shares its transaction: what that has loaded would be written over it
        done = await lane.run(lambda uow: chore(uow, ROWS_AT_ONCE), weight=ROWS_AT_ONCE, bounded=False)
    except DomainError as error:
        log.warning("chore not done", error=error.reason)
        return False
    return done == ROWS_AT_ONCE


def prune(uow: UnitOfWork, most: int) -> int:
    """Delete old inbox ids and old answers."""
    inbox, requests = uow.table("inbox"), uow.table("requests")
    ids = _delete(uow, inbox, inbox.c.applied_at < uow.now - KEEP_INBOX, most)
    answers = _delete(uow, requests, requests.c.created_at < uow.now - KEEP_REQUESTS, most)
    return max(ids, answers)


def delete_ended(ends: Column[datetime], uow: UnitOfWork, most: int) -> int:
    """Delete rows whose time in this column has passed."""
    return _delete(uow, ends.table, ends < uow.now, most)


def _delete(uow: UnitOfWork, table: Table, old: ColumnElement[bool], most: int) -> int:
    # each of several processes takes others
    statement = select(table.c.id).where(old).limit(most).with_for_update(skip_locked=True)
    return delete_keys(uow.connection, table, uow.connection.execute(statement).scalars().all())
