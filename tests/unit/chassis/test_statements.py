"""Many rows in one statement come out as SQLAlchemy would have written them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from services.chassis.database import UtcTime
from services.chassis.statements import Bulk

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
THINGS = Table(
    "things",
    MetaData(),
    Column("id", String, primary_key=True),
    Column("flag", Boolean, nullable=False),
    Column("at", UtcTime),
    Column("count", Integer, nullable=False),
)
COLUMNS = tuple(THINGS.c.keys())
ROWS: list[dict[str, Any]] = [
    {"id": "a", "flag": True, "at": NOON, "count": 1},
    {"count": 0, "at": None, "flag": False, "id": "'; DROP TABLE things"},
    {"id": "가", "flag": True, "at": NOON + timedelta(microseconds=1), "count": True},
]


def test_rows_are_inserted_and_updated_with_the_types_of_their_columns() -> None:
    engine = create_engine("sqlite://")
    change = update(THINGS).where(THINGS.c.id == bindparam("b_id")).values(at=bindparam("at"), count=bindparam("count"))
    with engine.begin() as connection:
        THINGS.create(connection)
        assert Bulk(insert(THINGS), COLUMNS, connection.dialect).run(connection, [dict(row) for row in ROWS]) == 3
        found = [dict(row) for row in connection.execute(select(THINGS).order_by(THINGS.c.count)).mappings()]
        assert sorted(found, key=lambda row: str(row["id"])) == sorted(ROWS, key=lambda row: str(row["id"]))
        again = Bulk(change, ("at", "count"), connection.dialect)
        moved: list[dict[str, Any]] = [
            {"b_id": "a", "at": None, "count": 7},
            {"b_id": "nobody", "at": NOON, "count": 8},
        ]
        assert again.run(connection, moved) == 1
        row = connection.execute(select(THINGS).where(THINGS.c.id == "a")).mappings().one()
        assert (row["at"], row["count"]) == (None, 7)


def test_a_driver_with_named_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="by position"):
        Bulk(insert(THINGS), COLUMNS, postgresql.dialect())  # type: ignore[no-untyped-call]
