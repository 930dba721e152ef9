"""Migrations: bring a database to the newest revision of a service's history."""

import asyncio
import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, NullPool, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from services.chassis.database import Database
from services.chassis.database.address import is_sqlite, parse, shown, sqlite_path
from services.chassis.database.sqlite import sqlite_engine
from services.chassis.database.troubles import Trouble, trouble
from services.chassis.kernel import StorageBusy
from services.chassis.logs import get_logger
from services.chassis.running import CannotRun

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

log = get_logger(__name__)

LOCKED = {
    "postgresql": ("SELECT pg_try_advisory_lock(7461626)", "SELECT pg_advisory_unlock(7461626)"),
    "mariadb": ("SELECT GET_LOCK('tabling migrations', 0)", "SELECT RELEASE_LOCK('tabling migrations')"),
}
"""Several may begin to migrate at once; the second one waits, and finds nothing left to do.

It asks again and again: PostgreSQL builds no index beside others while a statement waits that began before.
"""


class DatabaseUnusable(CannotRun):
    """The database cannot be opened, or not by this version."""


def migrate(service: str, address: str) -> bool:
    """Upgrade the database of `service`; a SQLite file is created when absent. True when anything had to be done.

    On a server this runs an event loop of its own. Raises `DatabaseUnusable`.
    """
    url = parse(address)
    try:
        if is_sqlite(url):
            return _migrate_file(service, sqlite_path(url))
        return asyncio.run(_migrate_server(service, address))
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        advice = "; others were in the way: try again" if trouble(error) is Trouble.CONFLICT else ""
        raise DatabaseUnusable(f"the database {shown(address)} cannot be used: {_said(error)}{advice}") from error


async def check(service: str, address: str, database: Database) -> None:
    """Return once the database can be used and is at least at the revision that this version was made for.

    A newer one is fine: migrations only add what the version before them can do without. A server that cannot be
    reached is waited for. Raises `DatabaseUnusable`.
    """
    for tries in itertools.count():
        try:
            present = await database.read(revision)
            break
        except StorageBusy as error:
            if tries % 10 == 0:
                log.warning("waiting for the database", service=service, error=_said(error.__cause__ or error))
            await asyncio.sleep(0.5)
    if present is None or present < newest(service):
        raise DatabaseUnusable(
            f"the database {shown(address)} is at revision {present}, wanted is {newest(service)}: "
            f"type `python -m services.operations migrate {service}`"
        )


def _said(error: BaseException) -> str:
    """What the driver said, without the statement."""
    return str(error.orig if isinstance(error, DBAPIError) else error)


def newest(service: str) -> str:
    """The newest revision: ids are sequential file names, `0001_<what>.py`."""
    return max(path.stem for path in (folder(service) / "versions").glob("[0-9]*.py"))


def folder(service: str) -> Path:
    """Where a service's migrations are."""
    return Path(__file__).parents[1] / service / "migrations"


def revision(connection: Connection) -> str | None:
    """The revision that a database is at; None when it has none."""
    try:
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    except DBAPIError as error:
        if trouble(error) is Trouble.GONE:
            raise
        return None
    return str(row[0]) if row else None


def upgrade(service: str, connection: Connection) -> None:
    """Run a service's migrations on a connection."""
    from alembic import command
    from alembic.config import Config  # imported late: start-up seldom needs it

    config = Config()
    config.set_main_option("script_location", str(folder(service)))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _migrate_file(service: str, database: Path) -> bool:
    database.parent.mkdir(parents=True, exist_ok=True)
    present, wanted = _revision_of_file(database), newest(service)
    if present is not None and present > wanted:
        raise DatabaseUnusable(f"{database} is of a newer version ({present}, here {wanted}): run that version")
    if present != wanted:
        with sqlite_engine(database).connect() as connection:
            upgrade(service, connection)
    return present != wanted


def _revision_of_file(database: Path) -> str | None:
    # without SQLAlchemy: this is on the way of every start
    if not database.exists():
        return None
    with closing(sqlite3.connect(database)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return None
    return str(row[0]) if row else None


async def _alone(guard: "AsyncConnection", lock: str) -> None:
    """Return once nobody else migrates."""
    while True:
        if await guard.scalar(text(lock)):
            return
        await asyncio.sleep(0.2)


async def _migrate_server(service: str, address: str) -> bool:
    from sqlalchemy.ext.asyncio import create_async_engine  # a library that is loaded only to be used

    engine = create_async_engine(parse(address), poolclass=NullPool)
    lock, unlock = LOCKED[engine.dialect.name]
    try:
        async with engine.connect() as guard:
            await guard.execution_options(isolation_level="AUTOCOMMIT")
            await _alone(guard, lock)
            async with engine.connect() as connection:
                present = await connection.run_sync(revision)
                await connection.rollback()
                if present is None or present < newest(service):
                    await connection.run_sync(lambda sync: upgrade(service, sync))
            await guard.execute(text(unlock))
    finally:
        await engine.dispose()
    return present is None or present < newest(service)
