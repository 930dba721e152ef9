"""What all tests share."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from services.chassis import logs
from services.full.servers import Maria, Postgres, Rabbit
from tests.drills.table import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown
from tests.entitled import ENVIRONMENT

__all__ = ("pytest_sessionfinish", "pytest_terminal_summary", "pytest_testnodedown")

logs.configure("CRITICAL", json=True)
# gRPC would get ready for children that go on without exec, and say so. Ours all exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
os.environ.update(ENVIRONMENT)

Kind = Literal["sqlite", "postgresql", "mariadb"]


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """A folder that the system's other users can get to, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="tabling-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(servers_folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL for all tests; commits survive its crash, but not one of the machine."""
    server = Postgres(servers_folder / "postgres", durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def maria(servers_folder: Path) -> Iterator[Maria]:
    """A MariaDB for all tests; commits survive its crash, but not one of the machine."""
    server = Maria(servers_folder / "maria", durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def rabbit(servers_folder: Path) -> Iterator[Rabbit]:
    """A RabbitMQ for all tests."""
    server = Rabbit(servers_folder / "rabbit")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def fresh_name() -> Callable[[], str]:
    """Makes names that no other test uses, for databases and virtual hosts."""
    numbers = itertools.count(1)
    return lambda: f"test_{os.getpid()}_{next(numbers)}"


@pytest.fixture
def fresh_database(
    request: pytest.FixtureRequest, tmp_path: Path, fresh_name: Callable[[], str]
) -> Callable[[Kind], str]:
    """Makes empty databases: `fresh_database("postgresql")` is the address of one."""

    def make(kind: Kind) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / fresh_name()}.db"
        server: Postgres | Maria = request.getfixturevalue({"postgresql": "postgres", "mariadb": "maria"}[kind])
        return server.database(fresh_name())

    return make


@pytest.fixture
def fresh_vhost(rabbit: Rabbit, fresh_name: Callable[[], str]) -> Callable[[], str]:
    """Makes empty virtual hosts: `fresh_vhost()` is the amqp address of one."""
    return lambda: rabbit.vhost(fresh_name())
