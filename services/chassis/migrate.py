"""Migrations: bring a database to the newest revision of a service's history."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from services.chassis.database import sqlite_engine
from services.chassis.running import CannotRun


class DatabaseUnusable(CannotRun):
    """The database file cannot be opened, or not by this version."""


def migrate(service: str, database: Path) -> None:
    """Upgrade the SQLite file of `service`, creating it when absent. Does nothing when it is up to date.

    Raises `DatabaseUnusable`.
    """
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        present, wanted = revision(database), newest(service)
        if present is not None and present > wanted:
            raise DatabaseUnusable(f"{database} is of a newer version ({present}, here {wanted}): run that version")
        if present != wanted:
            upgrade(service, sqlite_engine(database))
    except (OSError, sqlite3.Error, DBAPIError) as error:
        why = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseUnusable(f"the database {database} cannot be used: {why}") from error


def upgrade(service: str, engine: Engine) -> None:
    """Run a service's migrations on an engine."""
    from alembic import command
    from alembic.config import Config  # imported late: start-up seldom needs it

    config = Config()
    config.set_main_option("script_location", str(folder(service)))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def folder(service: str) -> Path:
    """Where a service's migrations are."""
    return Path(__file__).parents[1] / service / "migrations"


def newest(service: str) -> str:
    """The newest revision: ids are sequential file names, `0001_<what>.py`."""
    return max(path.stem for path in (folder(service) / "versions").glob("[0-9]*.py"))


def revision(database: Path) -> str | None:
    """The revision a SQLite file is at; None when it has none."""
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
