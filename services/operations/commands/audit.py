"""`audit`: what staff and operators changed."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, select

from services.chassis.audit import TABLE
from services.operations import printing
from services.operations.catalogue import table
from services.operations.commands.options import Data, Format
from services.operations.databases import ask
from services.operations.printing import Output
from services.operations.surroundings import surroundings

AUDITED = ("reception", "seat", "management")
COLUMNS = ("at", "actor", "role", "action", "store_id", "resource", "request_id")

Store = Annotated[str | None, typer.Option(metavar="STORE", help="Only what was changed of this store.")]
Actor = Annotated[str | None, typer.Option(metavar="SUBJECT", help="Only what this person changed.")]
Hours = Annotated[float, typer.Option(help="How many hours back.")]
Most = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many entries of a service, the newest.")]


def audit(
    store: Store = None,
    actor: Actor = None,
    hours: Hours = 24.0,
    most: Most = 1000,
    data: Data = None,
    output: Format = Output.TABLE,
) -> None:
    """Who changed what, and when: what staff and operators did, oldest first."""
    since = datetime.now(UTC) - timedelta(hours=hours)
    look = partial(_entries, store=store, actor=actor, since=since, most=most)
    found = asyncio.run(ask(surroundings(data), AUDITED, look))
    entries = sorted((entry for of_service in found.values() for entry in of_service), key=lambda each: each["at"])
    printing.rows(output, ("service", *COLUMNS), entries, "nobody changed anything")


def _entries(
    service: str, connection: Connection, *, store: str | None, actor: str | None, since: datetime, most: int
) -> list[dict[str, Any]]:
    columns = table(service, TABLE).c
    statement = select(*(columns[name] for name in COLUMNS)).where(columns.at >= since)
    if store is not None:
        statement = statement.where(columns.store_id == store)
    if actor is not None:
        statement = statement.where(columns.actor == actor)
    rows = connection.execute(statement.order_by(columns.id.desc()).limit(most))
    return [{"service": service, **row._mapping} for row in rows]
