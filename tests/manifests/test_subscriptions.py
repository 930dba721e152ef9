"""Who wants which events is known before anybody runs."""

from pathlib import Path

import pytest

from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import SystemClock
from services.chassis.settings import from_environment
from services.embedded.services import BUILDS
from services.subscriptions import SUBSCRIPTIONS
from tests.entitled import ENVIRONMENT


@pytest.mark.parametrize("name", BUILDS)
async def test_the_subscriptions_are_what_the_services_handle(name: str, tmp_path: Path) -> None:
    settings = from_environment(name, {**ENVIRONMENT, "TABLING_DATA": str(tmp_path)})
    service = BUILDS[name](settings, MemoryBus(), SystemClock())
    await service.frame.close()

    assert service.consumer.types == SUBSCRIPTIONS.get(name, frozenset())


def test_nobody_else_is_subscribed() -> None:
    assert SUBSCRIPTIONS.keys() <= BUILDS.keys()
