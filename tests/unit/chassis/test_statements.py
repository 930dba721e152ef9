"""Statements come out as SQLAlchemy would have written them; that they work is proven on every database."""

import pytest
from sqlalchemy import Column, MetaData, String, Table, create_engine, select
from sqlalchemy.dialects import postgresql

from services.chassis.bulk import insert_into
from services.chassis.database.address import parse
from services.chassis.statements import among, fetch

THINGS = Table("things", MetaData(), Column("id", String, primary_key=True))


def test_keys_can_be_asked_for_through_sqlalchemy_as_well() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        THINGS.create(connection)
        insert_into(THINGS, connection.dialect).run(connection, [{"id": "a"}, {"id": "'; DROP TABLE things"}])
        statement = select(THINGS.c.id).where(among(THINGS.c.id))
        given = {"keys": ["'; DROP TABLE things", "nobody"]}
        assert connection.execute(statement, given).scalars().all() == ["'; DROP TABLE things"]
        assert fetch(statement, connection.dialect).run(connection, given) == [{"id": "'; DROP TABLE things"}]


@pytest.mark.parametrize("address", ["sqlite:///x", "mariadb://host/x", "postgresql://host/x"])
def test_keys_are_asked_for_in_words_that_an_index_serves(address: str) -> None:
    dialect = parse(address).get_dialect()()
    _, _, where = str(select(THINGS).where(among(THINGS.c.id)).compile(dialect=dialect)).partition("WHERE ")
    # `id IN (…) = 1` goes through the whole table
    assert "= 1" not in where, where


def test_a_driver_with_named_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="by position"):
        insert_into(THINGS, postgresql.dialect())  # type: ignore[no-untyped-call]
