"""`outbox`: what waits to be published, and why."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, func, select, update

from services.chassis.running import CannotRun
from services.operations import events, printing
from services.operations.catalogue import chosen, table
from services.operations.commands.options import Data, Format, Service
from services.operations.databases import ask, change
from services.operations.printing import Output
from services.operations.surroundings import surroundings

app = typer.Typer(help="What waits to be published: how much, how long, why. Without a command: a line per service.")

SHOWN = ("id", "created_at", "attempts", "next_attempt_at", "failure")
OLDEST = 20


class NoSuchEnvelope(CannotRun):
    """No outbox holds it; most likely it has been published meanwhile."""


@app.callback(invoke_without_command=True)
def lag(context: typer.Context, data: Data = None, output: Format = Output.TABLE) -> None:
    """Envelopes that wait, by service: how many, since when, how many failed and how."""
    if context.invoked_subcommand is None:
        found = asyncio.run(ask(surroundings(data), chosen(None), _lag))
        columns = ("service", "waiting", "oldest", "failing", "failures")
        printing.rows(output, columns, [*found.values()], "no service is here")


@app.command("list")
def list_(service: Service = None, data: Data = None, output: Format = Output.TABLE) -> None:
    """The oldest envelopes of each service, those that failed most often first."""
    found = asyncio.run(ask(surroundings(data), chosen(service), _oldest))
    envelopes = [envelope for of_service in found.values() for envelope in of_service]
    printing.rows(output, ("service", *SHOWN), envelopes, "all outboxes are empty")


@app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The envelope's id.", show_default=False)],
    data: Data = None,
    output: Format = Output.TABLE,
) -> None:
    """The events in an envelope: types, subjects and sagas, not what they say."""

    def look(service: str, connection: Connection) -> list[dict[str, Any]]:
        outbox = table(service, "outbox")
        bodies = connection.execute(select(outbox.c.body).where(outbox.c.id == id_)).scalars()
        return [{"service": service, **event} for body in bodies for event in events.envelope_summary(body)]

    found = [event for of in asyncio.run(ask(surroundings(data), chosen(None), look)).values() for event in of]
    if not found:
        raise NoSuchEnvelope(f"no outbox holds the envelope {id_}: type `scripts/ops outbox list`")
    columns = ("service", "id", "type", "subject", "correlation_id", "time")
    printing.rows(output, columns, found, "it has no events")


@app.command()
def retry(service: Service = None, data: Data = None, output: Format = Output.TABLE) -> None:
    """Make what failed due now: the next sweep, a matter of seconds, tries it again."""
    found = asyncio.run(change(surroundings(data), chosen(service), _make_due))
    rows = [{"service": name, "due_now": number} for name, number in found.items()]
    printing.rows(output, ("service", "due_now"), rows, "no service is here")


def _lag(service: str, connection: Connection) -> dict[str, Any]:
    columns = table(service, "outbox").c
    statement = select(func.count(columns.id), func.min(columns.created_at))
    waiting, oldest = connection.execute(statement).one()
    by_failure = select(columns.failure, func.count()).where(columns.attempts > 0).group_by(columns.failure)
    failures = {failure or "?": number for failure, number in connection.execute(by_failure)}
    return {
        "service": service,
        "waiting": waiting,
        "oldest": None if oldest is None else max(datetime.now(UTC) - oldest, timedelta()),
        "failing": sum(failures.values()),
        "failures": [f"{name} ({number})" for name, number in sorted(failures.items())],
    }


def _oldest(service: str, connection: Connection) -> list[dict[str, Any]]:
    columns = table(service, "outbox").c
    statement = select(*(columns[name] for name in SHOWN)).order_by(columns.attempts.desc(), columns.id).limit(OLDEST)
    return [{"service": service, **row._mapping} for row in connection.execute(statement)]


def _make_due(service: str, connection: Connection) -> int:
    outbox = table(service, "outbox")
    failed = outbox.c.attempts > 0
    return connection.execute(update(outbox).where(failed).values(next_attempt_at=None)).rowcount
