"""Passwords in mounted files that are replaced while somebody is connected: the way back is with the new one."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Connection, text

from services.chassis.database import Database
from services.chassis.database.address import parse
from services.chassis.database.opening import open_database
from services.chassis.database.server import ServerDatabase
from services.chassis.mounted import Mounted
from services.chassis.testing import eventually
from services.full.servers import Postgres, Rabbit
from tests.component.counters import message
from tests.contract.bus_kit import RabbitBuses, batch, noting, publish, topology

BACK_SECONDS = 40.0


def who(connection: Connection) -> str:
    return str(connection.execute(text("SELECT current_user")).scalar_one())


async def asked(database: Database) -> str:
    return await database.look(who)


async def test_a_database_is_reached_as_whoever_the_file_names_now(postgres: Postgres, tmp_path: Path) -> None:
    address = postgres.database("rotated")
    owner, file = ServerDatabase(parse(address)), tmp_path / "database"

    def told(connection: Connection, *statements: str) -> None:
        for statement in statements:
            connection.execute(text(statement))

    await owner.look(lambda c: told(c, "CREATE ROLE first LOGIN PASSWORD 'a'", "CREATE ROLE second LOGIN PASSWORD 'b'"))
    file.write_text(_as(address, "first", "a"), encoding="utf-8")
    database = open_database(Mounted.read(file))
    assert await asked(database) == "first"

    file.write_text(_as(address, "second", "b") + "\n", encoding="utf-8")
    await owner.look(
        lambda c: told(
            c,
            "ALTER ROLE first PASSWORD 'x'",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'first'",
        )
    )
    assert await eventually(lambda: asked(database)) == "second"
    await database.close()
    await owner.close()


async def test_a_broker_is_reached_as_whoever_the_file_names_now(
    rabbit: Rabbit, rabbits: RabbitBuses, tmp_path: Path
) -> None:
    vhost, file = urlsplit(rabbits.url).path.lstrip("/"), tmp_path / "bus"
    for user in ("first", "second"):
        await asyncio.to_thread(rabbit.rabbitmqctl, "add_user", user, user)
        await asyncio.to_thread(rabbit.rabbitmqctl, "set_permissions", "-p", vhost, user, ".*", ".*", ".*")
    file.write_text(_as(rabbits.url, "first", "first"), encoding="utf-8")
    inbox = noting("a")
    bus = rabbits.on(topology({"a": inbox.types}), Mounted.read(file))
    await bus.subscribe(inbox.subscription)
    await publish(bus, batch(message("before")))
    await eventually(lambda: inbox.ids)

    file.write_text(_as(rabbits.url, "second", "second"), encoding="utf-8")
    await asyncio.to_thread(rabbit.rabbitmqctl, "delete_user", "first")
    await asyncio.to_thread(rabbit.rabbitmqctl, "close_all_user_connections", "first", "gone")
    await publish(bus, batch(message("after")))
    await eventually(lambda: len(set(inbox.ids)) == 2, seconds=BACK_SECONDS)


def _as(address: str, user: str, password: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()
