"""Two dashboards on one database: whoever watches a store sees what either of them was told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.topology import Topology
from services.chassis.clock import ManualClock
from services.chassis.messages import Message, envelope
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running
from services.dashboard.app import build
from services.subscriptions import SUBSCRIPTIONS
from tabling.dashboard.v1.dashboard_service_pb2 import WatchStoreRequest
from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceStub
from tests.component.dashboard_kit import NOON, availability_changed, received, store_changed
from tests.component.place import place
from tests.entitled import KEYS, entitled

pytestmark = pytest.mark.parametrize("storage", ["postgresql"], indirect=True)

TOPOLOGY = Topology({"dashboard": SUBSCRIPTIONS["dashboard"]})


class Replica(NamedTuple):
    """One of several dashboards."""

    service: Service[Any]
    stub: Any

    async def hears(self, *messages: Message) -> None:
        """It is this one that events are brought to; returns once it has committed them."""
        await self.service.consumer.receive(envelope("test", list(messages), NOON))


@asynccontextmanager
async def replica(folder: Path, broker: str) -> AsyncIterator[Replica]:
    """A dashboard with a connection of its own."""
    bus = RabbitBus(broker, TOPOLOGY)
    service = build(
        Settings("dashboard", "127.0.0.1:0", place(folder, "dashboard"), {}, keys=KEYS), bus, ManualClock(NOON)
    )
    try:
        async with running(service) as address, grpc.aio.insecure_channel(address) as channel:
            yield Replica(service, DashboardServiceStub(entitled(channel)))
    finally:
        await bus.close()


async def test_a_watcher_sees_what_another_replica_was_told(tmp_path: Path, fresh_vhost: Callable[[], str]) -> None:
    broker = fresh_vhost()
    async with replica(tmp_path, broker) as one, replica(tmp_path, broker) as other:
        await other.hears(store_changed())
        watches = [each.stub.WatchStore(WatchStoreRequest(name="stores/s1/view")) for each in (one, other)]
        for watch in watches:
            assert (await watch.read()).store_view.parties_waiting == 0
        async with asyncio.timeout(20):
            await other.hears(received("r1", line=(1, 1)))
            for watch in watches:
                await eventually(partial(_sees, watch, "parties_waiting", 1))
            await one.hears(availability_changed(seats=4, largest=4))
            for watch in watches:
                await eventually(partial(_sees, watch, "seats_remaining", 4))


async def _sees(watch: Any, what: str, number: int) -> bool:
    seen: int = getattr((await watch.read()).store_view, what)
    return seen == number
