"""Fixtures of the contract tests."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.conftest import Kind
from tests.contract.bus_kit import Buses, MemoryBuses, RabbitBuses


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def address(request: pytest.FixtureRequest, fresh_database: Callable[[Kind], str]) -> str:
    """An empty database of each kind."""
    return fresh_database(request.param)


@pytest.fixture(params=["memory", "rabbitmq"])
async def buses(request: pytest.FixtureRequest) -> AsyncIterator[Buses]:
    """Every kind of bus."""
    made: Buses = MemoryBuses() if request.param == "memory" else RabbitBuses(request.getfixturevalue("fresh_vhost")())
    yield made
    await made.close()


@pytest.fixture
async def rabbits(fresh_vhost: Callable[[], str]) -> AsyncIterator[RabbitBuses]:
    """Buses on RabbitMQ."""
    made = RabbitBuses(fresh_vhost())
    yield made
    await made.close()
