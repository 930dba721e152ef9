"""PostgreSQL, MariaDB and RabbitMQ of our own: they start, keep what they were given, and leave nothing behind."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import asyncmy
import asyncpg
import psutil
import pytest
from yarl import URL

from services.chassis.bus.link import connection_to
from services.chassis.testing import eventually
from services.full.servers import Maria, Postgres, Rabbit, Server
from services.full.servers.binaries import NotInstalled, Product
from services.full.servers.guard import FolderInUse, Guard
from services.full.servers.server import is_alive

PROBE_SECONDS = 0.3


async def write_postgres(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE words (word text PRIMARY KEY)")
    await connection.execute("INSERT INTO words VALUES ('국밥')")
    await connection.close()


async def read_postgres(url: str) -> str:
    connection = await asyncpg.connect(url, timeout=20)
    word: str = await connection.fetchval("SELECT word FROM words")
    await connection.close()
    return word


async def ask_maria(url: str, *statements: str) -> str | None:
    parts = urlsplit(url)
    connection = await asyncmy.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password,
        database=parts.path[1:],
        connect_timeout=20,
    )
    async with connection.cursor() as cursor:
        for statement in statements:
            await cursor.execute(statement)
        row = await cursor.fetchone()
    await connection.commit()
    connection.close()
    return str(row[0]) if row else None


async def write_maria(url: str) -> None:
    await ask_maria(url, "CREATE TABLE words (word VARCHAR(20) PRIMARY KEY)", "INSERT INTO words VALUES ('국밥')")


async def read_maria(url: str) -> str:
    return str(await ask_maria(url, "SELECT word FROM words"))


async def write_rabbit(url: str) -> None:
    async with connection_to(URL(url), "tests") as connection, connection.channel() as channel:
        await channel.declare_queue("words", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message("국밥".encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "words")


async def read_rabbit(url: str) -> str:
    async with connection_to(URL(url), "tests", 20) as connection, connection.channel() as channel:
        queue = await channel.get_queue("words")
        # After a crash the queue's one member elects itself first, which takes some seconds.
        async with asyncio.timeout(20), queue.iterator() as messages:
            return (await anext(messages)).body.decode()


@dataclass(frozen=True, slots=True)
class Case:
    """A server, and how to make a place in it, write a word there and read it."""

    make: Callable[[Path], Server]
    place: Callable[[Server, str], str]
    write: Callable[[str], Awaitable[None]]
    read: Callable[[str], Awaitable[str]]


def database(server: Server, name: str) -> str:
    assert isinstance(server, Postgres | Maria)
    return server.database(name)


def vhost(server: Server, name: str) -> str:
    assert isinstance(server, Rabbit)
    return server.vhost(name)


CASES = {
    "postgres": Case(lambda folder: Postgres(folder, durable=False), database, write_postgres, read_postgres),
    "maria": Case(lambda folder: Maria(folder, durable=False), database, write_maria, read_maria),
    "rabbit": Case(Rabbit, vhost, write_rabbit, read_rabbit),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="module")
def only_one(case: Case, servers_folder: Path, fresh_name: Callable[[], str]) -> Iterator[Server]:
    server = case.make(servers_folder / fresh_name())
    yield server
    server.kill()


@pytest.fixture
def server(only_one: Server) -> Server:
    """The server while it runs, whatever the test before did to it."""
    if only_one.pid is None:
        only_one.start()
    return only_one


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(PROBE_SECONDS)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def listening(processes: list[psutil.Process]) -> list[tuple[str, int]]:
    places = [place for process in processes for place in process.net_connections("tcp")]
    return [(place.laddr.ip, place.laddr.port) for place in places if place.status == psutil.CONN_LISTEN]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if is_alive(process)]


async def test_it_keeps_what_it_was_given_through_a_kill_and_a_clean_end(case: Case, server: Server) -> None:
    url = case.place(server, "kitchen")
    assert case.place(server, "kitchen") == url
    await case.write(url)
    if isinstance(server, Rabbit):
        server.sync()
    server.kill()
    server.start()
    assert await case.read(url) == "국밥"
    server.stop()
    server.start()
    assert await case.read(url) == "국밥"


async def test_it_listens_on_this_machine_only_and_after_a_clean_end_nowhere(server: Server) -> None:
    server.stop()
    others = set(psutil.Process().children(recursive=True))
    server.start()
    processes = [process for process in psutil.Process().children(recursive=True) if process not in others]
    places = listening(processes)
    assert server.port in {port for _, port in places}
    assert {host for host, _ in places} <= {"127.0.0.1", "::1"}
    server.stop()
    assert server.pid is None
    assert alive(processes) == []
    assert [port for _, port in places if listens(port)] == []


async def test_a_paused_one_answers_when_it_goes_on(case: Case, server: Server) -> None:
    url = case.place(server, "hall")
    await case.write(url)
    server.pause()
    answer = asyncio.ensure_future(case.read(url))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(answer), PROBE_SECONDS)
    server.resume()
    assert await answer == "국밥"


OWNER = """
import sys
from pathlib import Path
from services.full.servers import Maria, Postgres, Rabbit
server = {"Postgres": Postgres, "Maria": Maria, "Rabbit": Rabbit}[sys.argv[1]](Path(sys.argv[2]))
server.start()
print("up", flush=True)
sys.stdin.read()
"""


async def test_it_ends_when_its_owner_is_killed(server: Server) -> None:
    server.stop()
    command = [sys.executable, "-c", OWNER, type(server).__name__, str(server.folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    with owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"up\n"
        processes = psutil.Process(owner.pid).children(recursive=True)
        assert len(processes) > 1
        owner.kill()
    await eventually(lambda: alive(processes) == [], seconds=20)


def test_two_cannot_run_on_one_folder(tmp_path: Path) -> None:
    first = Guard(tmp_path)
    with pytest.raises(FolderInUse, match="in use by another process"):
        Guard(tmp_path, patience_seconds=0)
    first.dismiss()
    Guard(tmp_path, patience_seconds=0).dismiss()


def test_postgres_runs_in_a_folder_that_only_we_can_reach(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    server = Postgres(tmp_path / "postgres", durable=False)
    server.start()
    data = (server.folder / "data").resolve()
    assert "/kitchen" in server.database("kitchen")
    server.stop()
    server.erase()
    assert not data.exists()
    assert not server.folder.exists()


def test_a_missing_program_is_told_with_what_to_type() -> None:
    soup = Product(
        name="Soup", apt="soup-server", dnf="soup", brew="soup", programs=("no-ladle",), folders=(), urls=("SOUP",)
    )
    with pytest.raises(NotInstalled, match="sudo apt-get install soup-server") as missing:
        soup.require()
    assert "there is no no-ladle" in str(missing.value)
    assert "brew install soup" in str(missing.value)
    assert "in SOUP" in str(missing.value)
