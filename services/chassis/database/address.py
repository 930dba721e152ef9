"""Addresses of databases."""

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "mariadb": "mariadb+asyncmy",
    "mysql": "mariadb+asyncmy",
}


def parse(address: str) -> URL:
    """`sqlite:///path`, `postgresql://…`, `mariadb://…`, or the path of a SQLite file, with the driver to use.

    Raises `ValueError`, without the address: it may hold a password.
    """
    if "://" not in address:
        return URL.create("sqlite", database=address)
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise ValueError("is no address of a database") from error
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise ValueError("is no address of a SQLite, PostgreSQL or MariaDB database")
    if not url.database:
        raise ValueError("does not name the database")
    return url.set(drivername=driver)


def shown(address: str) -> str:
    """The address as it may be shown: without the password."""
    url = parse(address)
    return str(url.database) if is_sqlite(url) else url.render_as_string(hide_password=True)


def is_sqlite(url: URL) -> bool:
    """Whether it is a file of ours."""
    return url.get_backend_name() == "sqlite"


def sqlite_path(url: URL) -> Path:
    """The file."""
    return Path(str(url.database))
