"""Migrations give the tables that the code declares, on every kind of database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from services.chassis.database.opening import open_database
from services.chassis.migrate import DatabaseUnusable, check, migrate, newest, revision
from services.chassis.settings import PORTS
from tests.conftest import Kind


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
            assert sorted(threads.map(lambda _: migrate("seat", address), range(4))) == [False, False, False, True]  # noqa: B023


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
