"""The doctor: finds what is wrong, tells what to do about it, and says nothing when all is well."""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from sqlalchemy import Connection, text
from yarl import URL

from services.chassis import environment
from services.chassis.addresses import free_port
from services.chassis.bus.link import connection_to
from services.chassis.settings import from_environment
from services.chassis.testing import eventually
from services.full.servers import Maria, Postgres, Rabbit
from services.full.servers.rabbit import RABBITMQ
from services.operations.catalogue import SERVICES, topology
from services.operations.doctor.databases import _skewed
from services.reception.adapters.rows import reception_to_row
from services.reception.adapters.tables import receptions
from services.reception.adapters.vault import PLAIN, Vault
from services.reception.domain.reception import Channel, Contact, Reception, State
from tests.component.dashboard_kit import dashboard
from tests.component.operations_kit import Ops, settle, write
from tests.component.test_operations import put_into_outbox
from tests.entitled import ENVIRONMENT, PHONE_KEYS

NEW_KEYS = ("of-the-tests-newer-phones-" + "0" * 32, *PHONE_KEYS)

IN_TESTS = ("fsync is off", "full_page_writes is off", "innodb_flush_log_at_trx_commit is 2", "no management plugin")
"""What the servers of the tests are rightly blamed for: they are set up for speed."""


async def found(ops: Ops) -> list[dict[str, str]]:
    """What the doctor finds, but for what tests do on purpose and for services that do not run."""
    said = await ops("doctor", "-o", "json")
    assert said.code in (0, 1), said
    findings = [each for each in said.json if "none of them runs" not in each["what"]]
    return [each for each in findings if not any(known in each["what"] for known in IN_TESTS)]


async def the_finding(ops: Ops) -> tuple[str, str, str]:
    """The one thing that is wrong: how bad, what, and what to do."""
    (only,) = await found(ops)
    return only["severity"], only["what"], only["fix"]


@pytest.mark.every_database
async def test_nothing_is_found_when_all_is_well(ops: Ops) -> None:
    await settle(ops)
    assert await found(ops) == [] or await found(ops) == [_alone(service) for service in SERVICES]


def _alone(service: str) -> dict[str, str]:
    return {
        "severity": "risky",
        "where": service,
        "what": "its database is on a server, yet its bus is in its own process: nobody else hears its events",
        "fix": "set TABLING_BUS to the amqp:// address of RabbitMQ, for all services",
    }


async def test_people_read_what_is_wrong_and_what_to_do(ops: Ops) -> None:
    await settle(ops)
    ops.keep(HARTBEAT_SECONDS="3")
    said = await ops("doctor")
    assert said.code == 1
    wrong = f"wrong: {ops.folder}/environment: nothing reads TABLING_HARTBEAT_SECONDS\n"
    assert wrong + "       fix: did you mean TABLING_HEARTBEAT_SECONDS?\n" in said.out
    assert said.out.endswith("1 wrong, 0 risky, 1 note\n")


async def test_a_wrong_value_is_told_and_the_rest_is_still_looked_at(ops: Ops) -> None:
    await settle(ops)
    ops.keep(SEAT_DRAIN_SECONDS="soon", RECEPTION_DATABASE=str(ops.folder / "nowhere.db"))
    whats = [each["what"] for each in await found(ops)]
    assert whats == ["TABLING_SEAT_DRAIN_SECONDS must be a number of seconds, not 'soon'", "there is no such file"]


async def test_a_missing_key_is_told_as_something_that_is_needed(ops: Ops) -> None:
    ops.keep(PASS_KEY="")
    [said] = [each for each in await found(ops) if "TABLING_PASS_KEY" in each["what"]]
    assert (said["where"], said["fix"]) == ("reception", "set it to what is wanted")


async def test_two_services_with_one_database_are_told(ops: Ops) -> None:
    await settle(ops)
    ops.keep(SEAT_DATABASE=environment.read(ops.folder)["TABLING_RECEPTION_DATABASE"])
    whats = [each["what"] for each in await found(ops)]
    assert f"both have DATABASE {ops.folder}/reception.db" in whats


@pytest.mark.every_database
async def test_a_database_that_is_behind_is_told_with_the_command(ops: Ops) -> None:
    await settle(ops)
    await write(ops, "seat", lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0000'")).rowcount)
    (behind,) = [each for each in await found(ops) if each["where"].startswith("seat: ")]
    assert behind["what"].startswith("its revision is 0000, wanted is ")
    assert (behind["severity"], behind["fix"]) == ("wrong", "scripts/ops migrate seat")


async def test_a_database_of_a_newer_version_is_only_noted(ops: Ops) -> None:
    await settle(ops)
    await write(ops, "seat", lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")).rowcount)
    severity, what, _ = await the_finding(ops)
    assert (severity, what.startswith("its revision is 9999, this code knows ")) == ("note", True)


async def test_a_server_that_is_away_is_told_without_its_password(ops: Ops) -> None:
    await settle(ops)
    ops.keep(SEAT_DATABASE=f"mariadb://tabling:secret@127.0.0.1:{free_port()}/seat", BUS="amqp://u:secret@127.0.0.1:1/")
    said = await ops("doctor")
    assert said.code == 1
    assert "fix: start the server, or mend TABLING_SEAT_DATABASE" in said.out
    assert "fix: start it, or mend TABLING_BUS" in said.out
    assert "secret" not in said.out


async def test_settings_of_a_postgresql_that_lose_commits_are_told(ops: Ops, postgres: Postgres) -> None:
    ops.keep(SEAT_DATABASE=postgres.database("careless"), BUS="amqp://127.0.0.1:1/")
    assert (await ops("migrate", "seat")).code == 0
    await asyncio.to_thread(postgres._ask, "ALTER DATABASE careless SET synchronous_commit = off")
    said = await ops("doctor", "-o", "json")
    fixes = {each["what"].partition(":")[0]: each["fix"] for each in said.json if each["where"].startswith("seat: ")}
    assert fixes == {
        "fsync is off": "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();",
        "full_page_writes is off": "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();",
        "synchronous_commit is off": "ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();",
    }


async def test_settings_of_a_mariadb_that_lose_commits_are_told(ops: Ops, maria: Maria) -> None:
    ops.keep(SEAT_DATABASE=maria.database("careless"), BUS="amqp://127.0.0.1:1/")
    assert (await ops("migrate", "seat")).code == 0
    said = await ops("doctor", "-o", "json")
    (only,) = [each for each in said.json if each["where"].startswith("seat: ")]
    assert only["what"] == "innodb_flush_log_at_trx_commit is 2: what was answered may be gone after a crash"
    assert only["fix"].startswith("SET GLOBAL innodb_flush_log_at_trx_commit = 1;")


async def test_a_postgresql_that_does_not_compare_bytewise_is_told(ops: Ops, postgres: Postgres) -> None:
    other = "CREATE DATABASE \"bylanguage\" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' ENCODING UTF8"
    await asyncio.to_thread(postgres._ask, other)
    ops.keep(SEAT_DATABASE=postgres.database("bylanguage"), BUS="amqp://127.0.0.1:1/")
    assert (await ops("migrate", "seat")).code == 0
    whats = [each["what"] for each in await found(ops) if each["where"].startswith("seat: ")]
    assert whats == ["it does not compare texts bytewise: pages of lists come in another order than here"]


async def test_a_mariadb_that_does_not_compare_bytewise_is_told(ops: Ops, maria: Maria) -> None:
    await asyncio.to_thread(maria._ask, "CREATE DATABASE bylanguage CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    ops.keep(SEAT_DATABASE=maria.database("bylanguage"), BUS="amqp://127.0.0.1:1/")
    assert (await ops("migrate", "seat")).code == 0
    (what,) = [each["what"] for each in await found(ops) if each["where"].startswith("seat: ")]
    assert what.startswith("does not compare texts bytewise: audit_entries.action, ")


class Ahead:
    """A database whose server's clock is five seconds ahead."""

    async def read(self, look: Any) -> float:
        return time.time() + 5


async def test_a_clock_that_is_ahead_is_told() -> None:
    settings = from_environment("seat", {**ENVIRONMENT, "TABLING_DATABASE": "postgresql://127.0.0.1/seat"})
    database: Any = Ahead()
    ((severity, what, _),) = await _skewed(database, settings)
    assert (severity, what) == ("wrong", "its clock is 5.0 s ahead of this machine's")


async def test_a_port_that_somebody_else_has_is_told(ops: Ops) -> None:
    await settle(ops)
    with socket.create_server(("127.0.0.1", 0)) as other:
        ops.keep(SEAT_LISTEN=f"127.0.0.1:{other.getsockname()[1]}")
        severity, what, fix = await the_finding(ops)
    assert (severity, "could not listen on 127.0.0.1:" in what, "TABLING_SEAT_LISTEN" in fix) == ("wrong", True, True)


async def test_replicas_and_services_that_are_away_while_others_serve_are_told(ops: Ops) -> None:
    await settle(ops)
    away = environment.read(ops.folder)["TABLING_SEAT_TARGET"]
    async with dashboard(ops.folder) as world:
        there = f"127.0.0.1:{world.service.grpc.port}"
        targets = {f"{service.upper()}_TARGET": there for service in SERVICES}
        ops.keep(**targets | {"SEAT_TARGET": away, "RECEPTION_TARGET": f"ipv4:{there},{away}"})
        whats = [(each["where"], each["what"]) for each in await found(ops)]
    assert whats == [("reception", f"at {away} it is not there"), ("seat", f"at {away} it is not there")]


async def test_what_waits_and_what_was_given_up_is_told(ops: Ops) -> None:
    await settle(ops)
    await put_into_outbox(ops, "seat", failures=3)
    await put_into_outbox(ops, "management")
    letter = "INSERT INTO dead_letters VALUES ('e', 's', 't', 'x', '', 'KeyError', 5, '2027-01-01')"
    await write(ops, "reception", lambda c: c.execute(text(letter)).rowcount)
    facts = {each["where"]: (each["severity"], each["what"]) for each in await found(ops)}
    assert facts["seat"] == ("risky", "1 envelope could not be published")
    assert facts["reception"] == ("risky", "1 event could not be applied")
    assert facts["management"][1].startswith("its outbox has waited for ")


# RabbitMQ


async def test_a_broker_with_everything_on_it_is_well(ops: Ops, fresh_vhost: Callable[[], str]) -> None:
    await settle(ops)
    ops.keep(BUS=fresh_vhost())
    assert (await ops("topology", "--declare")).code == 0
    assert await found(ops) == []


async def test_what_is_missing_on_the_broker_or_of_another_kind_is_told(
    ops: Ops, fresh_vhost: Callable[[], str]
) -> None:
    await settle(ops)
    url = fresh_vhost()
    ops.keep(BUS=url)
    async with connection_to(URL(url), "tests") as connection:
        channel = await connection.channel()
        await channel.declare_queue("seat", durable=True)
        await channel.close()
        whats = [each["what"] for each in await found(ops)]
    assert "exchange tabling is missing" in whats
    assert "queue seat.dead is missing" in whats
    assert [what for what in whats if what.startswith("queue seat is there with other arguments")]


async def test_messages_that_nobody_fetches_or_that_were_given_up_are_told(
    ops: Ops, fresh_vhost: Callable[[], str]
) -> None:
    await settle(ops)
    url = fresh_vhost()
    ops.keep(BUS=url)
    async with connection_to(URL(url), "tests") as connection:
        channel = await connection.channel()
        await topology().declare(channel)
        for queue in ("seat", "seat.dead", "dashboard.spare"):
            await channel.default_exchange.publish(aio_pika.Message(b"?"), queue)
        whats = [each["what"] for each in await found(ops)]
    assert whats == [
        "1 message in queue dashboard.spare: queue dashboard was missing",
        "1 message in queue seat, and nobody fetches them",
        "1 message in queue seat.dead could not be applied",
    ]


async def test_a_broker_that_is_short_of_memory_is_told(
    ops: Ops, rabbit: Rabbit, fresh_vhost: Callable[[], str]
) -> None:
    await settle(ops)
    ops.keep(BUS=fresh_vhost())
    assert (await ops("topology", "--declare")).code == 0
    await asyncio.to_thread(rabbit.rabbitmqctl, "set_vm_memory_high_watermark", "absolute", "1")
    try:
        severity, what, _ = await the_finding(ops)
    finally:
        await asyncio.to_thread(rabbit.rabbitmqctl, "set_vm_memory_high_watermark", "0.4")
    assert (severity, what) == ("wrong", "it takes no messages: it is short of memory or disk")


async def enable_management(rabbit: Rabbit, port: int) -> None:
    """Give a node the plugin that our own nodes go without."""
    for plugin in (RABBITMQ.program("rabbitmq-server").parents[1] / "plugins").iterdir():
        link = rabbit.folder / "release" / "plugins" / plugin.name
        if not link.exists():
            link.symlink_to(plugin)
    setting = f'application:set_env(rabbitmq_management, tcp_config, [{{port, {port}}}, {{ip, "127.0.0.1"}}]).'
    await asyncio.to_thread(rabbit.rabbitmqctl, "eval", setting)
    enable = [str(RABBITMQ.program("rabbitmq-plugins")), "enable", "rabbitmq_management"]
    await asyncio.to_thread(rabbit._tool, enable)


async def test_the_management_plugin_tells_of_bindings_and_policies(ops: Ops, servers_folder: Path) -> None:
    await settle(ops)
    rabbit, port = Rabbit(servers_folder / "managed"), free_port()
    await asyncio.to_thread(rabbit.start)
    try:
        url = rabbit.vhost("managed")
        ops.keep(BUS=url, BUS_MANAGEMENT=f"http://127.0.0.1:{port}")
        await enable_management(rabbit, port)
        assert (await ops("topology", "--declare")).code == 0
        assert await found(ops) == []
        async with connection_to(URL(url), "tests") as connection:
            broker = await (await connection.channel()).get_underlay_channel()
            await broker.exchange_unbind("seat", "tabling", "management.store.changed.v1")
        policy = ("set_policy", "-p", "managed", "short", "^seat", json.dumps({"message-ttl": 1000}))
        await asyncio.to_thread(rabbit.rabbitmqctl, *policy)
        whats = [each["what"] for each in await eventually(lambda: found(ops))]
    finally:
        await asyncio.to_thread(rabbit.stop)
    assert whats == [
        "nothing leads from tabling to seat for management.store.changed.v1",
        "policy short sets message-ttl on seat, seat.spare, seat.retry.1",
    ]


@pytest.mark.every_database
async def test_it_is_told_by_which_keys_numbers_are_sealed_until_all_are_by_the_newest(ops: Ops) -> None:
    await settle(ops, "reception")
    newest, older = Vault(NEW_KEYS).key_ids
    for number, key in enumerate((newest, newest, older, older, PLAIN, "", "gone")):
        await write(ops, "reception", partial(put_reception, f"r{number}", key))
    ops.keep(PHONE_KEY=" ".join(NEW_KEYS))
    told = [(each["severity"], each["what"]) for each in await found(ops) if each["where"] == "phone numbers"]
    assert told == [
        ("wrong", "1 row sealed by key gone, which is not here: those parties are told nothing"),
        ("note", told[1][1]),
    ]
    assert told[1][1].endswith(f"; the newest key is {newest}")
    assert set(told[1][1].partition(";")[0].split(", ")) == {f"2 rows sealed by key {older}", "1 row not looked at yet"}
    await write(ops, "reception", lambda c: c.execute(receptions.update().values(phone_key=newest)))
    assert [each for each in await found(ops) if each["where"] == "phone numbers"] == []


def put_reception(id_: str, phone_key: str, connection: Connection) -> None:
    """A row of a reception that says of its number only by which key it is sealed."""
    reception = Reception(
        id=id_,
        store_id="sushi",
        state=State.CANCELED,
        channel=Channel.ONLINE,
        party_size=2,
        section="",
        contact=Contact(),
        order_key=1,
        created_at=datetime.now(UTC),
        business_day="2026-03-02",
    )
    row = reception_to_row(reception, 1) | {"id": id_, "version": 1, "phone_key": phone_key}
    connection.execute(receptions.insert(), row)
