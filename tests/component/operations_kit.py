"""What tests of the operators' command line share: the command line itself, and folders to use it on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from services.chassis import environment
from services.chassis.addresses import free_port
from services.chassis.database import Database
from services.chassis.database.opening import open_database
from services.chassis.migrate import migrate
from services.operations import cli
from services.operations.catalogue import SERVICES
from tests.component.place import place
from tests.entitled import ENVIRONMENT

Write = Callable[[Connection], Any]


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed for scripts."""
        assert not self.err, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Ops:
    """The command line on one data folder."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    async def __call__(self, *arguments: str) -> Said:
        """Run a command on the folder; beside whatever runs on this event loop."""
        self.capsys.readouterr()
        code = await asyncio.to_thread(cli.main, [*arguments, "--data", str(self.folder)])
        return Said(code, *self.capsys.readouterr())

    async def json(self, *arguments: str) -> Any:
        """What a command that ends well prints for scripts."""
        said = await self(*arguments, "-o", "json")
        assert said.code == 0, said
        return said.json

    def keep(self, **variables: str) -> None:
        """Have the folder keep these settings, too, as a system that runs on it would."""
        kept = environment.read(self.folder) | {f"TABLING_{name}": value for name, value in variables.items()}
        environment.write(self.folder, kept)


def command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> Ops:
    """The command line on a folder in which a system could run whose ports are free."""
    made = Ops(folder, capsys)
    made.keep(**{name.removeprefix("TABLING_"): value for name, value in ENVIRONMENT.items()})
    ports = {service: f"127.0.0.1:{free_port()}" for service in SERVICES}
    made.keep(**{f"{service.upper()}_LISTEN": target for service, target in ports.items()})
    made.keep(**{f"{service.upper()}_TARGET": target for service, target in ports.items()})
    return made


async def settle(ops: Ops, *services: str) -> None:
    """Give these services, or all, migrated databases where the test keeps its rows."""
    for service in services or SERVICES:
        address = place(ops.folder, service)
        await asyncio.to_thread(migrate, service, address)
        ops.keep(**{f"{service.upper()}_DATABASE": address})


async def write(ops: Ops, service: str, work: Write) -> None:
    """Do something to a service's database behind its back."""
    async with database(ops, service) as opened:
        await opened.write(work)


@asynccontextmanager
async def database(ops: Ops, service: str) -> AsyncIterator[Database]:
    """A service's database."""
    address = environment.read(ops.folder)[f"TABLING_{service.upper()}_DATABASE"]
    opened: Database = open_database(address)
    try:
        yield opened
    finally:
        await opened.close()
