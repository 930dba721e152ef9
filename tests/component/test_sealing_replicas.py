"""Numbers that one process seals anew while another one sends their parties home."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from services.chassis.database.opening import open_database
from services.chassis.unit_of_work import Surroundings
from services.reception.adapters.line_view import LineView
from services.reception.adapters.sealing import seal_anew
from services.reception.adapters.tables import customers, metadata, receptions
from services.reception.adapters.unit_of_work import ReceptionUnitOfWork
from services.reception.adapters.vault import Vault
from services.reception.application.clear_line import send_home
from services.reception.application.close_books import close_books
from tests.component.place import place
from tests.component.reception_kit import NOON, reception
from tests.entitled import PHONE_KEYS

pytestmark = pytest.mark.parametrize("storage", ["postgresql", "mariadb"], indirect=True)

NEW_KEYS = ("of-the-tests-newer-phones-" + "0" * 32, *PHONE_KEYS)


def unit(connection: Connection) -> ReceptionUnitOfWork:
    return ReceptionUnitOfWork(connection, NOON, Surroundings("reception", metadata), LineView(), close_books)


def seal(connection: Connection) -> None:
    uow = unit(connection)
    seal_anew(Vault(NEW_KEYS), uow, 10)
    uow.flush()


def in_another_process(address: str, work: Callable[[Connection], None]) -> None:
    """A transaction with connections of its own, from its beginning to its end."""

    async def run() -> None:
        database = open_database(address)
        try:
            await database.write(work)
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()


async def test_nothing_is_written_back_as_it_was_before_and_nobody_stays_in_line(tmp_path: Path) -> None:
    address = place(tmp_path, "reception")

    def send_all_home(connection: Connection) -> None:
        uow = unit(connection)
        send_home("sushi", uow)
        in_another_process(address, seal)
        uow.flush()

    async with reception(tmp_path) as house:
        await house.store_is()
        await house.join(phone="+821012345678")
        database = house.service.frame.database
        await database.write(send_all_home)
        held = await database.read(lambda connection: connection.execute(select(customers.c.open)).scalars().all())
        assert not any(held), held
        in_another_process(address, seal)
        keys = await database.read(
            lambda connection: connection.execute(select(receptions.c.phone_key)).scalars().all()
        )
        assert keys == [Vault(NEW_KEYS).newest]
