"""What all drills share: restaurants to begin with, and the table of what came of each drill."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from tests.drills.arena import Arenas, Servers
from tests.drills.calls import Client, Record
from tests.drills.drill import BARE, Drill
from tests.drills.restaurants import open_restaurants
from tests.drills.site import embedded_site
from tests.drills.table import FIGURES, REPORTS
from tests.drills.trial import Report
from tests.e2e.system import running_system

NewDrill = Callable[[object], Drill]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, Record]]:
    """A data folder in which the restaurants are open, and the record of how that came about."""
    data = tmp_path_factory.mktemp("drills") / "data"
    record = Record(Random("opened"))
    async with running_system(data, *BARE) as system:
        async with Client(system, record) as client:
            await open_restaurants(client, embedded_site(data))
        await system.stop()
    yield data, record


@pytest.fixture(scope="session")
def arenas(servers_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arenas]:
    """Where full systems live, on servers of the drills' own."""
    servers = Servers(servers_folder)
    yield Arenas(servers, tmp_path_factory.mktemp("arenas"))
    servers.stop()


@pytest.fixture
def new_drill(opened: tuple[Path, Record], tmp_path: Path) -> NewDrill:
    """Prepares a drill with a seed of its own, on a copy of the opened restaurants' data."""
    data, record = opened
    return lambda seed: Drill(data, tmp_path / "data", record, seed)


@pytest.fixture
def reports(request: pytest.FixtureRequest) -> list[Report]:
    """What came of the drills so far."""
    return request.config.stash.setdefault(REPORTS, [])


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[str]:
    """What the drills measured so far besides."""
    return request.config.stash.setdefault(FIGURES, [])
