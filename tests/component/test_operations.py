"""The operators' command line: settings, migrations, outboxes, and what it says when something is in the way."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from services.chassis.addresses import free_port
from services.chassis.messages import Message, envelope
from services.full.servers import Postgres
from services.operations.catalogue import SERVICES, table
from tests.component.operations_kit import Ops, database, settle, write
from tests.conftest import Kind

LONG_AGO = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


async def put_into_outbox(ops: Ops, service: str, failures: int = 0) -> str:
    """An envelope that has waited since long ago; gives its id."""
    body = envelope(service, [Message("seat.table.changed.v1", "stores/s/tables/t", "r1", b"")], LONG_AGO)
    row = {"id": body.id, "body": body.SerializeToString(), "created_at": LONG_AGO, "attempts": failures}
    if failures:
        row |= {"next_attempt_at": datetime.now(UTC) + timedelta(minutes=5), "failure": "Unroutable"}
    await write(ops, service, lambda connection: connection.execute(insert(table(service, "outbox")), row).rowcount)
    return body.id


async def test_each_setting_is_shown_with_its_origin(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    ops.keep(BUS="amqp://tabling:secret@127.0.0.1:5672/tabling")
    monkeypatch.setenv("TABLING_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("TABLING_SEAT_LOG_LEVEL", "DEBUG")
    shown = {row["variable"]: row for row in await ops.json("settings", "seat")}
    origins = {name: row["origin"] for name, row in shown.items()}
    assert shown["TABLING_BUS"]["value"] == "amqp://tabling:…@127.0.0.1:5672/tabling"
    assert origins["TABLING_BUS"] == str(ops.folder / "environment")
    assert (shown["TABLING_SEAT_LOG_LEVEL"]["value"], origins["TABLING_SEAT_LOG_LEVEL"]) == ("DEBUG", "environment")
    assert (origins["TABLING_DATA"], origins["TABLING_REFLECTION"]) == ("--data", "default")


async def test_what_the_environment_says_wins_over_the_folder(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    ops.keep(BUS="amqp://127.0.0.1/kept")
    monkeypatch.setenv("TABLING_BUS", "amqp://127.0.0.1/given")
    shown = {row["variable"]: row["value"] for row in await ops.json("settings", "seat")}
    assert shown["TABLING_BUS"] == "amqp://127.0.0.1/given"


async def test_a_wrong_setting_is_told_with_code_2(ops: Ops) -> None:
    ops.keep(SEAT_HEARTBEAT_SECONDS="soon")
    said = await ops("settings")
    assert (said.code, said.out) == (2, "")
    assert said.err == "error: TABLING_SEAT_HEARTBEAT_SECONDS must be a number of seconds, not 'soon'\n"


async def test_a_password_in_a_wrong_address_is_not_told(ops: Ops) -> None:
    ops.keep(SEAT_DATABASE="oracle://tabling:secret@127.0.0.1/seat")
    said = await ops("outbox")
    assert said.code == 2
    assert "TABLING_SEAT_DATABASE is no address of a SQLite, PostgreSQL or MariaDB database" in said.err
    assert "secret" not in said.err


async def test_a_line_that_is_no_setting_is_told_with_its_file(ops: Ops) -> None:
    (ops.folder / "environment").write_text("TABLING_BUS\n")
    said = await ops("settings")
    assert (said.code, said.err) == (
        1,
        f"error: {ops.folder}/environment holds 'TABLING_BUS', which is not NAME=value\n",
    )


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("outbox", "list", "kitchen"), "there is no service 'kitchen': name one of reception, seat"),
        (("dead-letters", "resend"), "name one dead letter by its id, or say --all"),
        (("dead-letters", "resend", "e1", "--all"), "name one dead letter by its id, or say --all"),
        (("dead-letters", "drop", "e1"), "there is nobody to ask: add --yes"),
        (("rebuild", "seat"), "'seat' is not one of 'dashboard'"),
        (("check", "--patience", "-1"), "should be greater than or equal to 0"),
        (("sweep",), "No such command 'sweep'"),
    ],
)
async def test_a_command_line_that_is_wrong_is_told_with_code_2(
    ops: Ops, arguments: tuple[str, ...], hint: str
) -> None:
    said = await ops(*arguments)
    assert (said.code, said.out) == (2, "")
    assert hint in " ".join(said.err.split())


@pytest.mark.parametrize("command", ["outbox", "check", "dead-letters list"])
async def test_a_folder_without_databases_is_told_and_stays_empty(ops: Ops, command: str) -> None:
    before = sorted(ops.folder.iterdir())
    said = await ops(*command.split())
    assert said.code == 1
    assert "reception.db, does not exist: name the data folder with --data" in said.err
    assert sorted(ops.folder.iterdir()) == before


@pytest.mark.every_database
async def test_a_database_without_tables_is_told_with_the_command_that_makes_them(ops: Ops) -> None:
    await settle(ops, *SERVICES)
    await write(ops, "seat", lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0000'")).rowcount)
    said = await ops("outbox", "list", "seat")
    assert said.code == 1
    assert "is at revision 0000, wanted is" in said.err
    assert said.err.endswith("type `scripts/ops migrate seat`\n")


async def test_a_server_that_is_away_is_told_with_the_address_and_without_the_password(ops: Ops) -> None:
    port = free_port()
    ops.keep(SEAT_DATABASE=f"postgresql://tabling:secret@127.0.0.1:{port}/seat")
    said = await ops("outbox", "list", "seat")
    assert said.code == 1
    assert f"postgresql+asyncpg://tabling:***@127.0.0.1:{port}/seat, cannot be used" in said.err
    assert "secret" not in said.err


# migrations


async def test_migrate_makes_what_is_missing_and_does_nothing_the_second_time(ops: Ops) -> None:
    before = await ops("migrate", "--check", "-o", "json")
    assert (before.code, {row["state"] for row in before.json}) == (1, {"missing"})
    assert not (ops.folder / "seat.db").exists()
    made = await ops.json("migrate")
    assert [row["service"] for row in made] == list(SERVICES)
    assert all(row["state"].startswith("migrated in ") and row["revision"] == row["newest"] for row in made)
    assert {row["state"] for row in await ops.json("migrate")} == {"up to date"}
    assert {row["state"] for row in await ops.json("migrate", "--check")} == {"up to date"}


async def test_migrate_takes_the_services_that_are_named(ops: Ops) -> None:
    assert [row["service"] for row in await ops.json("migrate", "seat", "management")] == ["seat", "management"]
    assert sorted(path.name for path in ops.folder.glob("*.db")) == ["management.db", "seat.db"]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_two_may_migrate_a_server_at_once(ops: Ops, kind: Kind, fresh_database: Callable[[Kind], str]) -> None:
    ops.keep(SEAT_DATABASE=fresh_database(kind))
    command = (sys.executable, "-m", "services.operations", "migrate", "seat", "--data", str(ops.folder))
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    started = [await asyncio.create_subprocess_exec(*command, env=path, stdout=DEVNULL) for _ in range(2)]
    assert [await process.wait() for process in started] == [0, 0]
    assert (await ops.json("migrate", "seat", "--check"))[0]["state"] == "up to date"


async def test_migrate_waits_for_a_server_that_starts(ops: Ops, servers_folder: Path) -> None:
    server = Postgres(servers_folder / "late", durable=False)
    await asyncio.to_thread(server.start)
    try:
        ops.keep(SEAT_DATABASE=server.database("seat"))
        await asyncio.to_thread(server.stop)
        assert (await ops("migrate", "seat")).code == 1
        migrating = asyncio.create_task(ops("migrate", "seat", "--wait", "30"))
        await asyncio.to_thread(server.start)
        assert (await migrating).code == 0
    finally:
        await asyncio.to_thread(server.stop)


# outboxes


@pytest.mark.every_database
async def test_the_outbox_is_told_with_its_age_and_its_failures(ops: Ops) -> None:
    await settle(ops)
    await put_into_outbox(ops, "seat")
    await put_into_outbox(ops, "seat", failures=3)
    lag = {row["service"]: row for row in await ops.json("outbox")}
    assert (lag["seat"]["waiting"], lag["seat"]["failing"], lag["seat"]["failures"]) == (2, 1, ["Unroutable (1)"])
    assert lag["seat"]["oldest"] > 24 * 3600
    assert (lag["reception"]["waiting"], lag["reception"]["oldest"]) == (0, None)
    assert "Unroutable (1)" in (await ops("outbox")).out


@pytest.mark.every_database
async def test_what_failed_most_often_is_listed_first_and_shown_with_its_events(ops: Ops) -> None:
    await settle(ops)
    fresh, failing = await put_into_outbox(ops, "seat"), await put_into_outbox(ops, "seat", failures=3)
    listed = await ops.json("outbox", "list", "seat")
    assert [(row["id"], row["attempts"], row["failure"]) for row in listed] == [
        (failing, 3, "Unroutable"),
        (fresh, 0, None),
    ]
    (event,) = await ops.json("outbox", "show", failing)
    assert (event["service"], event["type"], event["subject"]) == ("seat", "seat.table.changed.v1", "stores/s/tables/t")
    assert event["correlation_id"] == "r1"


@pytest.mark.every_database
async def test_what_failed_is_due_at_once_after_a_retry(ops: Ops) -> None:
    await settle(ops)
    failing = await put_into_outbox(ops, "seat", failures=3)
    due = {row["service"]: row["due_now"] for row in await ops.json("outbox", "retry")}
    assert due == dict.fromkeys(SERVICES, 0) | {"seat": 1}
    async with database(ops, "seat") as seat:
        outbox = table("seat", "outbox")
        row = await seat.read(lambda connection: connection.execute(outbox.select()).one())
    assert (row.id, row.attempts, row.next_attempt_at) == (failing, 3, None)


async def test_an_envelope_that_is_not_there_is_told(ops: Ops) -> None:
    await settle(ops)
    said = await ops("outbox", "show", "e1")
    assert (said.code, said.err) == (1, "error: no outbox holds the envelope e1: type `scripts/ops outbox list`\n")
