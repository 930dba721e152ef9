"""Migrations give the tables that the code declares, on every kind of database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text, update

from services.chassis.database.opening import open_database
from services.chassis.migrate import DatabaseUnusable, check, migrate, newest, revision
from services.chassis.migration_env import IMPATIENT, LOCKED_SECONDS
from services.chassis.settings import PORTS
from services.reception.adapters.tables import addresses, receptions
from tests.conftest import Kind

NAMES_OF_TABLES = ("table_name", "resource")


async def on(address: str, work: Callable[[Connection], Any]) -> Any:
    """Run something in a transaction."""
    database = open_database(address)
    try:
        return await database.write(work)
    finally:
        await database.close()


@pytest.mark.parametrize("service", PORTS)
def test_a_fresh_database_gets_what_the_code_declares_and_nothing_the_second_time(service: str, address: str) -> None:
    metadata = import_module(f"services.{service}.adapters.tables").metadata
    assert migrate(service, address)
    assert not migrate(service, address)
    differences = asyncio.run(on(address, lambda c: compare_metadata(MigrationContext.configure(c), metadata)))
    assert differences == []
    assert asyncio.run(on(address, revision)) == newest(service)


def test_several_may_migrate_at_once(fresh_database: Callable[[Kind], str]) -> None:
    for kind in ("postgresql", "mariadb"):
        address = fresh_database(kind)
        with ThreadPoolExecutor(4) as threads:
            assert sorted(threads.map(lambda _: migrate("reception", address), range(4))) == [False, False, False, True]  # noqa: B023


def behind_the_index(connection: Connection) -> None:
    """As before receptions were found by the keys of their numbers."""
    [index] = (index for index in receptions.indexes if index.name == "receptions_by_phone_key")
    index.drop(connection)
    addresses.drop(connection)
    connection.execute(text("UPDATE alembic_version SET version_num = '0009_presence'"))


def touch(connection: Connection) -> None:
    """What a service does all the time."""
    connection.execute(update(receptions).values(version=receptions.c.version))


@pytest.mark.parametrize("kind", IMPATIENT)
async def test_who_cannot_have_a_table_gives_up_and_the_next_try_goes_on_from_there(
    fresh_database: Callable[[Kind], str], kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = fresh_database(kind)
    monkeypatch.setitem(IMPATIENT, kind, IMPATIENT[kind].replace(str(LOCKED_SECONDS), "1"))
    with ThreadPoolExecutor(1) as thread:
        thread.submit(migrate, "reception", address).result()
        await on(address, behind_the_index)

        def try_beside(connection: Connection) -> None:
            touch(connection)
            with pytest.raises(DatabaseUnusable, match="others were in the way: try again"):
                thread.submit(migrate, "reception", address).result()

        await on(address, try_beside)
        assert thread.submit(migrate, "reception", address).result()
    assert await on(address, lambda c: compare_metadata(MigrationContext.configure(c), receptions.metadata)) == []
    assert await on(address, invalid) == []


def invalid(connection: Connection) -> list[str]:
    """Indexes that were not built to their end."""
    if connection.dialect.name != "postgresql":
        return []
    statement = text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    return [*connection.execute(statement).scalars()]


async def test_parties_join_while_an_index_over_all_of_them_is_built(fresh_database: Callable[[Kind], str]) -> None:
    address = fresh_database("postgresql")
    with ThreadPoolExecutor(2) as threads:
        threads.submit(migrate, "reception", address).result()
        await on(address, behind_the_index)

        def elsewhere(work: Callable[[Connection], Any]) -> Any:
            return threads.submit(asyncio.run, on(address, work)).result()

        def hastily(connection: Connection) -> None:
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            touch(connection)

        def build_beside(connection: Connection) -> Future[bool]:
            touch(connection)
            migrating = threads.submit(migrate, "reception", address)
            while not elsewhere(invalid):
                assert not migrating.done(), migrating.exception()
            elsewhere(hastily)
            return migrating

        migrating = await on(address, build_beside)
        assert migrating.result()


@pytest.mark.parametrize("service", ["reception", "seat", "management"])
def test_the_longest_name_of_a_table_finds_room(service: str) -> None:
    longest = f"stores/{'s' * 63}/tables/{'t' * 63}"
    metadata = import_module(f"services.{service}.adapters.tables").metadata
    columns = [column for table in metadata.tables.values() for column in table.c if column.name in NAMES_OF_TABLES]
    assert columns
    assert all(column.type.length >= len(longest) for column in columns)


async def test_a_server_whose_database_is_behind_says_what_to_type(fresh_database: Callable[[Kind], str]) -> None:
    for kind in ("postgresql", "mariadb"):
        address = fresh_database(kind)
        database = open_database(address)
        try:
            with pytest.raises(DatabaseUnusable, match="operations migrate seat"):
                await check("seat", address, database)
        finally:
            await database.close()


async def test_a_server_goes_on_with_a_database_that_a_newer_version_has_added_to(
    fresh_database: Callable[[Kind], str],
) -> None:
    for kind in ("postgresql", "mariadb"):
        address = fresh_database(kind)
        await asyncio.to_thread(migrate, "seat", address)
        await on(address, lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999_later'")))
        database = open_database(address)
        try:
            await check("seat", address, database)
        finally:
            await database.close()
