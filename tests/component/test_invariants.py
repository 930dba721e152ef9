"""The check over all databases: silent when all is well, and telling whenever one promise is broken."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, select

from services.chassis.database import Database
from services.chassis.migrate import migrate
from services.management.domain.profile import Profile
from services.operations.catalogue import SERVICES, metadata
from services.operations.databases import opened
from services.operations.invariants import read
from services.seat.application.add_tables import NewTable
from tests.agreement import violations
from tests.component.saga_kit import databases, furnish, world
from tests.component.saga_steps import Cancel, Join, Scene, Staff, Step, Turn, WalkIn
from tests.conftest import Kind


@pytest.fixture(scope="module")
def lunch() -> Iterator[Path]:
    """Databases after some parties came to a store with one table: seated, called, waiting, gone."""
    with databases() as fresh:
        folder = fresh()
        asyncio.run(_serve_lunch(folder))
        yield folder


async def _serve_lunch(folder: Path) -> None:
    async with world(folder) as found:
        profile = Profile(display_name="Sushi", call_timeout=timedelta(minutes=5))
        await furnish(found, {"sushi": (profile, [NewTable("t0", 4), NewTable("t1", 2)])})
        scene = Scene(found, ["sushi"])
        joins = [Join(0, size, customer, "", answer=None) for size, customer in ((4, 0), (2, 2), (3, 1))]
        last = Join(0, 6, 0, "", answer=None)
        steps: list[Step] = [*joins, WalkIn(0, 2), last, Staff(("seat",), 0), Cancel(2)]
        for step in steps:
            await Turn((step,)).play(scene)
            await found.rest(Random(0))


@pytest.fixture
def folder(lunch: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(lunch, tmp_path / "lunch"))


def test_nothing_is_said_when_all_is_well(folder: Path) -> None:
    assert violations(folder) == []


def test_a_missing_database_is_told_and_not_made(folder: Path) -> None:
    (folder / "seat.db").unlink()
    (found,) = violations(folder)
    assert "seat.db, does not exist" in found
    assert not (folder / "seat.db").exists()


def test_a_file_that_is_no_database_is_told(folder: Path) -> None:
    (folder / "seat.db").write_bytes(b"Once upon a time, there was a table for two." * 100)
    (found,) = violations(folder)
    assert "seat.db, cannot be used: file is not a database" in found


ALWAYS = [
    (
        "seat",
        "INSERT INTO dead_letters VALUES ('e', 's', 't', 'x', '', 'KeyError', 5, '2027-01-01')",
        "could not apply t of x",
    ),
    ("reception", "UPDATE receptions SET waiting_number = 1 WHERE waiting_number > 1", "was given"),
    ("reception", "UPDATE receptions SET waiting_number = 0 WHERE state = 'WAITING'", "WAITING without a number"),
    ("reception", "UPDATE receptions SET order_key = 7", "have the order key 7"),
    ("reception", "UPDATE lines SET waiting = waiting + 1", "the line of sushi counts"),
    ("reception", "UPDATE lines SET requested = 1", "the line of sushi counts 1 REQUESTED"),
    ("reception", "DELETE FROM customers", "remembered are none"),
    ("reception", "UPDATE receptions SET near_turn = 0", "was not told that its turn is near"),
    ("seat", "UPDATE seatings SET table_id = 't0' WHERE state = 'HELD'", "table sushi/t0 has 2 parties"),
    ("seat", "UPDATE seatings SET table_id = 't9' WHERE state = 'HELD'", "table sushi/t9 does not exist"),
    ("seat", "UPDATE seatings SET table_id = '' WHERE state = 'HELD'", "which does not have it"),
    ("seat", "UPDATE seatings SET table_id = 't0' WHERE state = 'DONE'", "is DONE and has table t0"),
    ("seat", "UPDATE tables SET state = 'HELD' WHERE state = 'OCCUPIED'", "is HELD for"),
    (
        "seat",
        "UPDATE tables SET state = 'FREE', party = '' WHERE id = 'sushi/t0'",
        "waits though table sushi/t0 is free",
    ),
    ("seat", "UPDATE floors SET seats_remaining = 9", "the floor of sushi tells"),
    ("seat", "DELETE FROM timers", "is HELD and nothing will end it"),
    ("notification", "UPDATE notices SET purpose = 'CALLED', round = 0", "notices CALLED of round 0"),
]

AT_REST = [
    (
        "seat",
        "INSERT INTO outbox (id, body, created_at) VALUES ('e', '', '2027-01-01')",
        "seat has not published envelope e",
    ),
    ("seat", "UPDATE seatings SET state = 'DONE' WHERE state = 'WAITING'", "is WAITING, its seating DONE"),
    ("seat", "DELETE FROM seatings WHERE state = 'WAITING'", "seat has never heard of it"),
    (
        "reception",
        "UPDATE receptions SET table_name = '' WHERE state = 'SEATED'",
        "is at no table, its seating at 't0'",
    ),
    ("management", "UPDATE orders SET state = 'CALLED' WHERE state = 'SEATED'", "is SEATED, its order CALLED"),
    ("management", "UPDATE orders SET round = 1", "is in round 0, its order in 1"),
    ("management", "UPDATE orders SET table_name = '' WHERE state = 'SEATED'", "its order at ''"),
    ("management", "DELETE FROM orders WHERE state = 'SEATED'", "is SEATED and has no order"),
    ("reception", "DELETE FROM receptions WHERE state = 'CANCELED'", "has no reception"),
    ("dashboard", "UPDATE receptions SET version = version - 1 WHERE state = 'SEATED'", "shown as SEATED at version"),
    ("dashboard", "UPDATE receptions SET state = 'CALLED' WHERE state = 'SEATED'", "shown as CALLED"),
    ("dashboard", "DELETE FROM receptions", "is not shown"),
    ("dashboard", "UPDATE lines SET parties_waiting = 9", "wait at sushi, shown are 9"),
    ("dashboard", "UPDATE tables SET state = 'FREE'", "shown is"),
    ("dashboard", "UPDATE availabilities SET seats_remaining = 9", "seats are free at sushi, shown are 9"),
    ("management", "UPDATE tables SET reception_id = ''", "management knows"),
    ("notification", "UPDATE stores SET seen = 1", "store sushi is at version 2, notification at 1"),
    ("notification", "UPDATE receptions SET seen = 0", "notification knows"),
    ("notification", "DELETE FROM notices", "was not told once that it is CALLED in round 0"),
    ("reception", "UPDATE lines SET sent_home_at = '2027-01-01'", "is WAITING though sushi sent everyone home"),
    (
        "reception",
        "UPDATE receptions SET customer_key = 'c:a', seated_at = '2027-01-01' WHERE state <> 'CANCELED'",
        "sat down as",
    ),
]


@pytest.mark.parametrize(("service", "harm", "sentence"), ALWAYS)
def test_a_promise_broken_at_any_moment_is_told(folder: Path, service: str, harm: str, sentence: str) -> None:
    _spoil(folder, service, harm)
    found = violations(folder, quiescent=False)
    assert [line for line in found if sentence in line], found


@pytest.mark.parametrize(("service", "harm", "sentence"), AT_REST)
def test_disagreement_is_told_once_everything_should_have_arrived(
    folder: Path, service: str, harm: str, sentence: str
) -> None:
    _spoil(folder, service, harm)
    found = violations(folder)
    assert [line for line in found if sentence in line], found


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_databases_on_servers_read_like_files(
    kind: Kind, folder: Path, fresh_database: Callable[[Kind], str]
) -> None:
    addresses = {service: fresh_database(kind) for service in SERVICES}
    for service, address in addresses.items():
        await asyncio.to_thread(migrate, service, address)
    paths = {service: str(folder / f"{service}.db") for service in SERVICES}
    async with _opened(paths) as files, _opened(addresses) as copies:
        for service in SERVICES:
            await _copy(service, files[service], copies[service])
        assert (await read(copies)).rows == (await read(files)).rows
    assert violations(addresses) == []


@asynccontextmanager
async def _opened(addresses: Mapping[str, str]) -> AsyncIterator[Mapping[str, Database]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(opened(name, each)) for name, each in addresses.items()}


async def _copy(service: str, file: Database, copy: Database) -> None:
    for table in metadata(service).sorted_tables:
        if rows := await file.scan(partial(_rows, table)):
            await copy.write(partial(_insert, table, rows))


def _rows(table: Table, connection: Connection) -> list[dict[str, Any]]:
    return [row._asdict() for row in connection.execute(select(table))]


def _insert(table: Table, rows: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(insert(table), rows)


def _spoil(folder: Path, service: str, harm: str) -> None:
    with closing(sqlite3.connect(folder / f"{service}.db")) as connection, connection:
        assert connection.execute(harm).rowcount > 0
