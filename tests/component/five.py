"""All five services in one process, with gRPC between them and the vendor's stand-in beside them.

They share a memory bus, or have RabbitMQ between them where `BUS` says so.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import ManualClock, SystemClock
from services.chassis.process import bus as bus_between_processes
from services.chassis.service import Service
from services.chassis.settings import from_environment
from services.chassis.testing import eventually, running
from services.embedded.services import BUILDS
from services.subscriptions import SUBSCRIPTIONS
from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceStub
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, GetOrderRequest, OpenStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.notification.v1.notice_pb2 import Notice
from tabling.notification.v1.notification_service_pb2 import ListNoticesRequest
from tabling.notification.v1.notification_service_pb2_grpc import NotificationServiceStub
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest, GetReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tabling.seat.v1.seat_service_pb2 import BatchCreateTablesRequest, CreateTableRequest
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub
from tabling.seat.v1.table_pb2 import Table
from tests.component.notification_kit import Vendor, vendor_running
from tests.component.place import place
from tests.e2e.system import free_ports
from tests.entitled import ENVIRONMENT, entitled

STORE = "stores/gukbap"


@dataclass
class Five:
    """The services, and stubs of them."""

    bus: MemoryBus
    services: Mapping[str, Service[Any]]
    customers: Any
    staff: Any
    floor: Any
    screens: Any
    notices: Any
    phones: list[str] = field(default_factory=list)

    async def open_store(self, *tables: int) -> None:
        """An open store with tables of these capacities, known to everyone."""
        await self.staff.CreateStore(CreateStoreRequest(store_id="gukbap", store=Store(display_name="강남국밥")))
        await self.staff.OpenStore(OpenStoreRequest(name=STORE))
        requests = [
            CreateTableRequest(table_id=f"t{number}", table=Table(capacity=capacity))
            for number, capacity in enumerate(tables, 1)
        ]
        await eventually(lambda: self._knows_store(requests))
        await self.settled()

    async def _knows_store(self, requests: list[CreateTableRequest]) -> bool:
        if requests:
            await self.floor.BatchCreateTables(BatchCreateTablesRequest(parent=STORE, requests=requests))
        return True

    async def join(self, party_size: int = 2, **options: Any) -> Reception:
        """A party joins the line, with a phone number of its own, which is added to `phones`."""
        self.phones.append(f"+8210876543{len(self.phones):02}")
        wanted = Reception(party_size=party_size, phone=self.phones[-1])
        answer: Reception = await self.customers.CreateReception(
            CreateReceptionRequest(parent=STORE, reception=wanted), **options
        )
        return answer

    async def reception(self, name: str) -> Reception:
        """The reception as it is now."""
        answer: Reception = await self.customers.GetReception(GetReceptionRequest(name=name))
        return answer

    async def order(self, name: str) -> Order:
        """The store's order for a reception."""
        answer: Order = await self.staff.GetOrder(GetOrderRequest(name=name.replace("receptions", "orders")))
        return answer

    async def settled(self) -> None:
        """Wait until nothing is under way: every event is applied, every notice sent."""

        async def at_rest() -> bool:
            notices = await self.notices.ListNotices(ListNoticesRequest())
            assert all(notice.state not in (Notice.PENDING, Notice.SENT) for notice in notices.notices), notices
            return all(
                service.relay.backlog == 0 and service.frame.lane.waiting == 0 for service in self.services.values()
            )

        await eventually(at_rest)


@asynccontextmanager
async def five(folder: Path, **environment: str) -> AsyncIterator[Five]:
    """The services with these settings, `TABLING_<name>`, running."""
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(vendor_running(Vendor(ManualClock(datetime.now(UTC)))))
        first = free_ports(len(BUILDS))
        targets = {name: f"127.0.0.1:{first + index}" for index, name in enumerate(BUILDS)}
        given = (
            {f"TABLING_{name}": value for name, value in environment.items()}
            | {"TABLING_KAKAO_URL": vendor.url}
            | ENVIRONMENT
        )
        for name, target in targets.items():
            given |= {f"TABLING_{name.upper()}_{each}": target for each in ("LISTEN", "TARGET")}
            given[f"TABLING_{name.upper()}_DATABASE"] = place(folder, name)
        bus, clock = MemoryBus(BUILDS), SystemClock()
        services = {}
        for name, build in BUILDS.items():
            settings = from_environment(name, given)
            own = bus if settings.bus == "memory" else bus_between_processes(settings, SUBSCRIPTIONS)
            services[name] = build(settings, own, clock)
        for service in services.values():
            await stack.enter_async_context(running(service))
        channels = {
            name: entitled(await stack.enter_async_context(grpc.aio.insecure_channel(target)))
            for name, target in targets.items()
        }
        yield Five(
            bus,
            services,
            ReceptionServiceStub(channels["reception"]),
            ManagementServiceStub(channels["management"]),
            SeatServiceStub(channels["seat"]),
            DashboardServiceStub(channels["dashboard"]),
            NotificationServiceStub(channels["notification"]),
        )
