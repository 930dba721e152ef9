"""The servers under the services: those that were given by address, and for the rest our own."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from services.chassis.logs import get_logger
from services.chassis.settings import PORTS, SettingsError
from services.full.servers import Maria, Postgres, Rabbit, Server
from services.full.servers.server import ServerFailed

log = get_logger(__name__)

ON_MARIADB = ("management",)
VHOST = "tabling"
BUS = "TABLING_BUS"

POSTGRESQL = "postgresql"
"""The folder of our own PostgreSQL."""

LOOK_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0


class Infrastructure:
    """`addresses` is what services must be told: environment variable → address.

    Raises `SettingsError` when the environment asks for what makes no sense here.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.servers: list[Server] = []
        self.addresses: dict[str, str] = {}
        self._make: dict[Server, list[Callable[[], str]]] = {}
        self._plan_bus(folder, environment)
        self._plan_databases(folder, environment)

    async def start_databases(self) -> None:
        """Return once every database is there. Raises `CannotRun`."""
        await self._start([server for server in self.servers if not isinstance(server, Rabbit)])

    async def start_bus(self) -> None:
        """Return once the virtual host is there. Raises `CannotRun`."""
        await self._start([server for server in self.servers if isinstance(server, Rabbit)])

    async def keep_running(self) -> None:
        """Start a server again whenever it ends, as long as it takes."""
        async with asyncio.TaskGroup() as group:
            for server in self.servers:
                group.create_task(_keep(server))

    async def stop(self) -> None:
        """Stop all of them, as far as they were started."""
        await asyncio.gather(*(asyncio.to_thread(server.stop) for server in self.servers))

    def _plan_bus(self, folder: Path, environment: Mapping[str, str]) -> None:
        given = environment.get(BUS)
        if given == "memory":
            raise SettingsError(f"{BUS} is memory, which joins no processes: unset it, or name an amqp:// address")
        if given:
            self.addresses[BUS] = given
            return
        rabbit = Rabbit(folder / "rabbitmq")
        self._add(rabbit, BUS, rabbit.address(VHOST), partial(rabbit.vhost, VHOST))

    def _plan_databases(self, folder: Path, environment: Mapping[str, str]) -> None:
        own: dict[bool, Postgres | Maria] = {}
        for service in PORTS:
            variable = f"TABLING_{service.upper()}_DATABASE"
            if given := environment.get(variable):
                self.addresses[variable] = given
                continue
            on_mariadb = service in ON_MARIADB
            if on_mariadb not in own:
                own[on_mariadb] = Maria(folder / "mariadb") if on_mariadb else Postgres(folder / POSTGRESQL)
            server = own[on_mariadb]
            self._add(server, variable, server.address(service), partial(server.database, service))

    def _add(self, server: Server, variable: str, address: str, make: Callable[[], str]) -> None:
        if server not in self._make:
            self.servers.append(server)
        self._make.setdefault(server, []).append(make)
        self.addresses[variable] = address

    async def _start(self, servers: list[Server]) -> None:
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(self._start_one(server))

    async def _start_one(self, server: Server) -> None:
        await _start(server)
        for make in self._make[server]:
            await asyncio.to_thread(make)


async def _start(server: Server) -> None:
    """Start it in a thread, which has ended when this ends, even if by being cancelled."""
    work = asyncio.get_running_loop().run_in_executor(None, server.start)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        server.give_up()
        await asyncio.wait([work])
        work.exception()  # has been told by our being cancelled
        raise


async def _keep(server: Server) -> None:
    pause = LOOK_SECONDS
    while True:
        await asyncio.sleep(pause)
        if server.pid is not None:
            pause = LOOK_SECONDS
            continue
        log.warning("server ended, starting it again", server=server.name)
        try:
            await _start(server)
        except ServerFailed as error:
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            log.error("server does not start", server=server.name, error=str(error), pause_seconds=pause)
