"""Column types that mean the same on every database."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Float, LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import TypeCompiler
from sqlalchemy.types import TypeDecorator

ZONELESS = ("sqlite", "mariadb")


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC datetimes, microsecond resolution; stored naive where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value if value.tzinfo is UTC else value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name in ZONELESS else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.replace(tzinfo=UTC)


# MariaDB's own types behind these names are too small


@compiles(DateTime, "mariadb")
def _to_the_microsecond(element: DateTime, compiler: TypeCompiler, **options: Any) -> str:
    return "DATETIME(6)"


@compiles(LargeBinary, "mariadb")
def _beyond_64_kib(element: LargeBinary, compiler: TypeCompiler, **options: Any) -> str:
    return "LONGBLOB"


@compiles(Float, "mariadb")
def _of_fifteen_digits(element: Float[Any], compiler: TypeCompiler, **options: Any) -> str:
    return "DOUBLE"
