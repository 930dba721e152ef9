"""Migrations: bring a database to the newest revision of a service's history."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from services.chassis.database import sqlite_engine


def migrate(service: str, database: Path) -> None:
    """Upgrade the SQLite file of `service`, creating it when absent. Does nothing when it is up to date."""
    database.parent.mkdir(parents=True, exist_ok=True)
    if revision(database) != newest(service):
        upgrade(service, sqlite_engine(database))


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
        except sqlite3.OperationalError:
            return None
    return str(row[0]) if row else None
