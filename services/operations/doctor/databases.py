"""The databases: reachable, of the right kind and revision, set so that what is committed stays."""

import time
from collections.abc import AsyncIterator, Iterator
from functools import partial

from sqlalchemy import Connection

from services.chassis.database import Database
from services.chassis.database.address import parse, shown
from services.chassis.migrate import DatabaseUnusable, newest, revision
from services.chassis.settings import Settings
from services.operations.catalogue import present
from services.operations.databases import reached, require_there
from services.operations.doctor import mariadb, postgresql, sqlite
from services.operations.doctor.facts import Facts, Judged, Look
from services.operations.doctor.finding import Finding, Severity
from services.operations.surroundings import Surroundings

LOOKS: dict[str, Look] = {"postgresql": postgresql.look, "mariadb": mariadb.look, "sqlite": sqlite.look}
SKEW_SECONDS = 1.0
"""More than this, and holds end early or late on one of several machines."""


async def databases(around: Surroundings) -> AsyncIterator[Finding]:
    """The database of every service."""
    for settings in around.right_settings(present()):
        try:
            require_there(settings.service, settings.database)
        except DatabaseUnusable:
            yield _missing(settings)
            continue
        try:
            async with reached(settings.service, settings.database) as database:
                found = [*await database.read(partial(_judged, settings)), *await _skewed(database, settings)]
        except DatabaseUnusable as error:
            yield _unreachable(settings, error)
            continue
        for severity, what, fix in found:
            yield Finding(severity, _where(settings), what, fix)


def _judged(settings: Settings, connection: Connection) -> list[Judged]:
    look = LOOKS[parse(settings.database).get_backend_name()]
    return [*_revision(settings.service, connection), *look(connection)]


def _revision(service: str, connection: Connection) -> Iterator[Judged]:
    found, wanted = revision(connection), newest(service)
    if found is None or found < wanted:
        yield Severity.WRONG, f"its revision is {found}, wanted is {wanted}", f"scripts/ops migrate {service}"
    elif found > wanted:
        what = f"its revision is {found}, this code knows {wanted} only"
        yield Severity.NOTE, what, "nothing, while a newer version is being rolled out; else bring the code up to date"


async def _skewed(database: Database, settings: Settings) -> list[Judged]:
    """How far the server's clock is from this machine's."""
    clock = CLOCKS.get(parse(settings.database).get_backend_name())
    if clock is None:
        return []
    before = time.time()
    theirs = float(await database.read(clock))
    after = time.time()
    # somewhere between the two it was read
    skew = theirs - after if theirs > after else min(theirs - before, 0.0)
    if abs(skew) <= SKEW_SECONDS:
        return []
    what = f"its clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    return [(Severity.WRONG, what, "let both machines keep time: `timedatectl set-ntp true`")]


CLOCKS: dict[str, Facts] = {"postgresql": postgresql.clock, "mariadb": mariadb.clock}


def _missing(settings: Settings) -> Finding:
    fix = f"`scripts/ops migrate {settings.service}` makes it, or name the data folder with --data"
    return Finding(Severity.WRONG, _where(settings), "there is no such file", fix)


def _unreachable(settings: Settings, error: DatabaseUnusable) -> Finding:
    fix = f"start the server, or mend TABLING_{settings.service.upper()}_DATABASE (`scripts/ops settings`)"
    return Finding(Severity.WRONG, _where(settings), str(error).partition("cannot be used: ")[2] or str(error), fix)


def _where(settings: Settings) -> str:
    return f"{settings.service}: {shown(settings.database)}"
