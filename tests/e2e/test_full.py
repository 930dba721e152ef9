"""The full system as it is started by hand: processes, RabbitMQ, PostgreSQL, MariaDB and Envoy."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from services.full.servers import Maria, Postgres, Rabbit
from services.full.servers.server import is_alive
from services.full.settings import METRICS_PORTS_ABOVE, FullSettings, Replica
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest, GetReceptionRequest
from tests.e2e.story_kit import Story, new_phone, story_of
from tests.e2e.system import System, free_ports, log_of, running_system

pytestmark = pytest.mark.e2e

STORE = "stores/gangnam-gukbap"
START_SECONDS = 120
STOP_SECONDS = 15
JOINED = re.compile(r'tabling_rpc\w*\{[^}]*CreateReception"[^}]*\} [1-9]')


@asynccontextmanager
async def full_system(data: Path, *arguments: str, **environment: str) -> AsyncIterator[tuple[System, Story]]:
    """A full system and its people, for the length of the block."""
    port = free_ports(2 + METRICS_PORTS_ABOVE + 2 * len(PORTS))
    options: dict[str, Any] = {"port": port, "environment": environment, "seconds": START_SECONDS}
    everything: list[psutil.Process] = []
    async with running_system(data, *arguments, module="services.full", **options) as system, story_of(system) as story:
        try:
            yield system, story
        finally:
            everything = processes(system)
    await eventually(lambda: not any(map(is_alive, everything)), seconds=30)


@pytest.fixture
def data(servers_folder: Path, fresh_name: Callable[[], str]) -> Path:
    """A folder that the databases' users can reach."""
    return servers_folder / fresh_name()


def processes(system: System) -> list[psutil.Process]:
    """What runs now."""
    if system.process.returncode is not None:
        return []
    return [process for process in psutil.Process(system.process.pid).children(recursive=True) if is_alive(process)]


def found(system: System, words: str) -> list[int]:
    """Which processes have these words in their command line."""
    pids = []
    for process in processes(system):
        with suppress(psutil.NoSuchProcess):
            pids += [process.pid] if words in " ".join(process.cmdline()) else []
    return pids


def came_back(system: System, words: str, before: int) -> bool:
    """Whether there is another process instead."""
    return len(pids := found(system, words)) == 1 and pids != [before]


async def scraped(process: Replica) -> str:
    """What a process counts."""
    async with aiohttp.ClientSession() as http, http.get(f"http://{process.metrics_address}/metrics") as answer:
        return await answer.text()


async def speaks_plain_http(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
    try:
        return b"HTTP" in await reader.read()
    except ConnectionResetError:
        return False
    finally:
        writer.close()


async def joins(story: Story) -> bool:
    answer = await story.post(f"{STORE}/receptions", partySize=2, phone="010-2345-0009")
    return answer.status in (200, 409)


async def test_parties_join_and_are_told_and_what_dies_comes_back_and_ctrl_c_ends_it_all(data: Path) -> None:
    async with full_system(data) as (system, story):
        said = log_of(data).read_text()
        assert said.startswith("Tabling is up\n")
        assert re.search(r"RabbitMQ +amqp://tabling:\*\*\*@127\.0\.0\.1:\d+/tabling\n", said)
        assert re.search(r"management's database +mariadb\S*://tabling:\*\*\*@127\.0\.0\.1:\d+/management\n", said)
        assert re.search(r"reception's database +postgresql\S*://tabling:\*\*\*@127\.0\.0\.1:\d+/reception\n", said)
        assert f"curl --cacert {system.authority} '{system.url}/v1/storeViews:search?openNow=true'\n" in said
        assert not await speaks_plain_http(system.port)

        # reception hears through the broker that the store has opened
        by_json = await eventually(partial(story.join, STORE, phone="010-2345-0001"), seconds=20)
        join = CreateReceptionRequest(parent=STORE, reception=Reception(party_size=2, phone="010-2345-0002"))
        by_grpc = await story.line.CreateReception(join)
        assert {"COME_IN", "CALLED"} & set(await story.told("01023450001"))
        assert {"COME_IN", "CALLED"} & set(await story.told("01023450002"))
        assert (await story.get(by_json["name"]))["table"] == f"{STORE}/tables/t1"

        for words in ("services.reception", "/bin/postgres -D "):
            [victim] = found(system, words)
            os.kill(victim, signal.SIGKILL)
            await eventually(partial(came_back, system, words, victim), seconds=40)
        await eventually(partial(joins, story), seconds=40)
        assert "child ended, starting it again" in log_of(data).read_text()
        assert "server ended, starting it again" in log_of(data).read_text()

        everything = processes(system)
        assert await system.stop() < STOP_SECONDS
        assert system.process.returncode == 0, log_of(data).read_text()
        assert [process for process in everything if is_alive(process)] == []
        assert "Traceback" not in log_of(data).read_text()

    async with full_system(data, "--no-demo") as (system, story):
        still = await story.line.GetReception(GetReceptionRequest(name=by_grpc.name))
        assert still.state == Reception.CALLED
        everything = processes(system)
        system.kill()
        await eventually(lambda: not any(map(is_alive, everything)), seconds=30)


async def test_servers_that_are_given_are_used_and_replicas_share_the_work(
    data: Path, postgres: Postgres, maria: Maria, rabbit: Rabbit, fresh_name: Callable[[], str]
) -> None:
    given = {"TABLING_BUS": rabbit.vhost(fresh_name())}
    for service in PORTS:
        server: Postgres | Maria = maria if service in ("management", "dashboard") else postgres
        given[f"TABLING_{service.upper()}_DATABASE"] = server.database(fresh_name())
    async with full_system(data, "--replicas", "2", **given) as (system, story):
        own = sorted(path.name for path in data.iterdir() if path.is_dir())
        assert own == ["gateway", "kakao", "keys", "logs"]
        phones = [f"0102345{number:04}" for number in range(10)]
        join = partial(story.join, "stores/hongdae-ramen")
        names = {phone: (await eventually(partial(join, phone=phone), seconds=20))["name"] for phone in phones}
        for phone in phones:
            assert (await story.told(phone))[0] in ("COME_IN", "NUMBERED"), names[phone]
        replicas = FullSettings(first_port=system.port + 2, replicas=2).processes[:: len(PORTS)]
        assert [process.service for process in replicas] == ["reception", "reception"]

        async def both_have_worked() -> bool:
            # whose turn it is, is chance
            await join(phone=new_phone())
            return all([JOINED.search(await scraped(process)) for process in replicas])

        await eventually(both_have_worked)
        os.kill(system.process.pid, signal.SIGTERM)
        assert await system.stop() < STOP_SECONDS
        assert system.process.returncode == 0
    assert postgres.pid
    assert maria.pid
    assert rabbit.pid
