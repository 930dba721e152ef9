"""What the tests of whole services share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.reception.adapters import seats
from tests.component.operations_kit import Ops, command_line
from tests.component.place import Places, Stock, new_stock, use
from tests.conftest import Kind


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `every_database` run on each kind of database, all others on SQLite."""
    kinds = ("sqlite", "postgresql", "mariadb") if metafunc.definition.get_closest_marker("every_database") else None
    if kinds and "storage" in metafunc.fixturenames:
        metafunc.parametrize("storage", kinds, indirect=True)


@pytest.fixture(scope="session")
def stocks() -> dict[Kind, Stock]:
    """Databases to be used again, by kind."""
    return {"postgresql": new_stock(), "mariadb": new_stock()}


@pytest.fixture(autouse=True)
def storage(request: pytest.FixtureRequest, stocks: dict[Kind, Stock]) -> Iterator[None]:
    """Where the services of this test keep their rows."""
    kind: Kind = getattr(request, "param", "sqlite")
    places = Places()
    if kind != "sqlite":
        fresh: Callable[[Kind], str] = request.getfixturevalue("fresh_database")
        places = Places(lambda: fresh(kind), stocks[kind])
    use(places)
    yield
    places.give_back()
    use(Places())


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seat has longer to answer than a customer would wait, for the machine may be busy."""
    monkeypatch.setattr(seats, "DEADLINE_SECONDS", 5.0)


@pytest.fixture
def ops(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ops:
    """The operators' command line on the test's folder, with nothing in the environment."""
    for name in [name for name in os.environ if name.startswith("TABLING_")]:
        monkeypatch.delenv(name)
    return command_line(tmp_path, capsys)
