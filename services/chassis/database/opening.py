"""Opening a service's database by its address."""

from services.chassis.database import Database
from services.chassis.database.address import is_sqlite, parse, sqlite_path
from services.chassis.database.sqlite import SqliteDatabase
from services.chassis.mounted import newest


def open_database(address: str, *, application: str = "tabling", longest_seconds: float = 5.0) -> Database:
    """The database at an address; connects when it is first used. Raises `ValueError` for what is no address.

    `longest_seconds` bounds a statement, a lock and a transaction on a server. An address from a mounted file is read
    anew for every connection.
    """
    url = parse(address)
    if is_sqlite(url):
        return SqliteDatabase(sqlite_path(url))
    from services.chassis.database.server import ServerDatabase  # its drivers take time to import

    return ServerDatabase(
        url, application=application, longest_seconds=longest_seconds, newest=lambda: parse(newest(address))
    )
