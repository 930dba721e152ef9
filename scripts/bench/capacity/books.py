"""What the servers keep count of: commits, logs, rows, bytes. Read before and after, the difference is a run's."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from services.chassis.database import Database
from services.chassis.database.opening import open_database
from services.operations.catalogue import metadata

SECONDS = 60.0

ANALYZED = "ANALYZE TABLE {tables}"
MARIA_BYTES = "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()"
MARIA_COUNTS = (
    "SELECT variable_value FROM information_schema.global_status "
    "WHERE variable_name IN ('COM_COMMIT', 'INNODB_OS_LOG_WRITTEN') ORDER BY variable_name"
)
POSTGRES_BYTES = "SELECT pg_database_size(current_database())"
POSTGRES_COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
POSTGRES_LOG = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"


@dataclass(frozen=True, slots=True)
class Page:
    """One service's database at one moment. `log`: bytes that its server wrote ahead so far, for all its databases."""

    rows: int
    size: int
    commits: int
    log: int
    server: str


Book = Mapping[str, Page]


class Books:
    """The databases of all services, by their addresses."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._databases: dict[str, Database] = {
            service: open_database(address, application="tabling bench", longest_seconds=SECONDS)
            for service, address in addresses.items()
        }
        self._servers = {service: address.partition(":")[0] for service, address in addresses.items()}

    async def close(self) -> None:
        """Let go of all connections."""
        for database in self._databases.values():
            await database.close()

    async def read(self) -> Book:
        """What they say now."""
        pages = await asyncio.gather(*(self._page(service) for service in self._databases))
        return dict(zip(self._databases, pages, strict=True))

    async def _page(self, service: str) -> Page:
        database, server = self._databases[service], self._servers[service]
        rows = await database.scan(lambda connection: _rows(service, connection))
        if server == "mariadb":
            tables = ", ".join(metadata(service).tables)
            await database.write(lambda connection: connection.exec_driver_sql(ANALYZED.format(tables=tables)).all())
            return Page(rows, *await database.scan(_maria), server)
        return Page(rows, *await database.scan(_postgres), server)


def _rows(service: str, connection: Connection) -> int:
    tables = metadata(service).tables.values()
    return sum(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def _maria(connection: Connection) -> tuple[int, int, int]:
    commits, log = connection.exec_driver_sql(MARIA_COUNTS).scalars().all()
    return int(connection.exec_driver_sql(MARIA_BYTES).scalar_one()), int(commits), int(log)


def _postgres(connection: Connection) -> tuple[int, int, int]:
    size, commits, log = (
        int(connection.exec_driver_sql(text).scalar_one()) for text in (POSTGRES_BYTES, POSTGRES_COMMITS, POSTGRES_LOG)
    )
    return size, commits, log
