"""What should flow and does not: envelopes that are not published, events that were given up."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, func, select

from services.chassis.migrate import DatabaseUnusable
from services.operations.catalogue import present, table
from services.operations.databases import opened
from services.operations.doctor.finding import Finding, Severity
from services.operations.printing import age, counted
from services.operations.surroundings import Surroundings

LONG = timedelta(minutes=1)


async def flow(around: Surroundings) -> AsyncIterator[Finding]:
    """The outbox and the dead letters in each database that can be read; of the others `databases` tells."""
    for settings in around.right_settings(present()):
        try:
            async with opened(settings.service, settings.database) as database:
                oldest, failing, dead = await database.scan(partial(_look, settings.service))
        except DatabaseUnusable:
            continue
        if failing:
            what = f"{counted(failing, 'envelope')} could not be published"
            yield Finding(Severity.RISKY, settings.service, what, "`scripts/ops outbox list` tells which, and why")
        elif oldest and (late := datetime.now(UTC) - oldest) > LONG:
            what = f"its outbox has waited for {age(late)}"
            yield Finding(Severity.RISKY, settings.service, what, "start the service; its relay publishes what waits")
        if dead:
            what = f"{counted(dead, 'event')} could not be applied"
            fix = f"`scripts/ops dead-letters list {settings.service}`, mend it, then `… resend --all`"
            yield Finding(Severity.RISKY, settings.service, what, fix)


def _look(service: str, connection: Connection) -> tuple[datetime | None, int, int]:
    """Since when the outbox waits, how many envelopes failed, how many dead letters there are."""
    outbox, letters = table(service, "outbox"), table(service, "dead_letters")
    oldest = connection.scalar(select(func.min(outbox.c.created_at)))
    failing = connection.scalar(select(func.count()).select_from(outbox).where(outbox.c.attempts > 0))
    dead = connection.scalar(select(func.count()).select_from(letters))
    return oldest, failing or 0, dead or 0
