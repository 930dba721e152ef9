"""Checks that every service's migrations give the tables that its code declares."""

import importlib
import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.chassis.database.sqlite import sqlite_engine
from services.chassis.migrate import migrate
from services.chassis.settings import PORTS


def differences(service: str, folder: Path) -> list[object]:
    """What a new migration of the service would have to do."""
    metadata = importlib.import_module(f"services.{service}.adapters.tables").metadata
    database = folder / f"{service}.db"
    migrate(service, str(database))
    with sqlite_engine(database).connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def main() -> int:
    """Print each service's differences; 1 when there are any."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for service in PORTS:
            found = differences(service, Path(folder))
            print(f"{service}: {'migrations match the tables' if not found else 'migrations are behind'}")
            for difference in found:
                print(f"  {difference}")
            failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
