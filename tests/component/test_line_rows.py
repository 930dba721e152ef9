"""What a view of the lines reads is read by index, however many receptions there are."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import Connection, text

from services.chassis.bulk import insert_into
from services.chassis.database import Database
from services.chassis.database.opening import open_database
from services.chassis.migrate import migrate
from services.reception.adapters import line_rows
from services.reception.adapters.rows import reception_to_row
from services.reception.adapters.tables import receptions
from services.reception.domain.line_order import Spot
from services.reception.domain.reception import Channel, Contact, Reception, State
from tests.conftest import Kind

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
STORES = 70
PARTIES = 50
"""At each store; every other one waits."""

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN ", "mariadb": "EXPLAIN "}


def party(store: int, number: int) -> Reception:
    return Reception(
        version=1,
        id=f"s{store}-{number}",
        store_id=f"s{store}",
        state=State.WAITING if number % 2 else State.CANCELED,
        channel=Channel.ONLINE,
        party_size=2,
        section="",
        contact=Contact(),
        order_key=number,
        created_at=NOON,
        business_day="2026-03-02",
    )


def fill(connection: Connection) -> None:
    rows = [
        reception_to_row(party(store, number), line_version=number) | {"id": f"s{store}-{number}", "version": 1}
        for store in range(STORES)
        for number in range(PARTIES)
    ]
    insert_into(receptions, connection.dialect).run(connection, rows)


def analyze(connection: Connection) -> None:
    connection.execute(text("ANALYZE TABLE receptions" if connection.dialect.name == "mariadb" else "ANALYZE"))


def plan(connection: Connection, stores: int) -> str:
    values = {f"s{n}": f"s{n}" for n in range(stores)} | {f"v{n}": PARTIES - 5 for n in range(stores)}
    statement = line_rows.changed(stores).params(values)
    sql = statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    rows = connection.execute(text(EXPLAIN[connection.dialect.name] + str(sql).replace(":", "\\:"))).all()
    return "\n".join(str(tuple(row)) for row in rows)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def database(request: pytest.FixtureRequest, fresh_database: Callable[[Kind], str]) -> AsyncIterator[Database]:
    """Reception's database of each kind, with parties at several stores."""
    address = fresh_database(request.param)
    await asyncio.to_thread(migrate, "reception", address)
    database = open_database(address)
    await database.write(fill)
    yield database
    await database.close()


async def test_what_changed_is_found_by_index(database: Database) -> None:
    await database.write(analyze)
    for stores in line_rows.SIZES[:2]:
        found = await database.read(partial(plan, stores=stores))
        assert "receptions_by_line_version" in found, found


async def test_of_every_store_the_changes_since_its_own_version_are_told(database: Database) -> None:
    since = {f"s{store}": PARTIES - 1 - store % 4 for store in range(STORES)}
    told = await database.read(lambda connection: dict(line_rows.changed_since(connection, since)))
    assert told == {
        f"s{store}": {
            f"s{store}-{number}": Spot(number, f"s{store}-{number}", 2, "", False) if number % 2 else None
            for number in range(PARTIES - store % 4, PARTIES)
        }
        for store in range(STORES)
    }


async def test_the_line_is_who_waits_in_order(database: Database) -> None:
    ((store_id, order),) = await database.read(lambda connection: [*line_rows.waiting(connection, ["s3"])])
    assert (store_id, order.keys) == ("s3", [*range(1, PARTIES, 2)])
