"""A whole management service for tests, with the test in the place of all other services."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2

from scripts.bench.roomy import ROOMY
from services.chassis.bus import Subscription
from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import ManualClock
from services.chassis.messages import Message, envelope
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running
from services.management.app import build
from tabling.management.v1 import events_pb2 as told
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.messaging.v1.envelope_pb2 import Envelope
from tabling.reception.v1 import events_pb2 as reception
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1 import events_pb2 as seat
from tabling.seat.v1.table_pb2 import Table
from tests.component.place import place
from tests.entitled import KEYS, entitled

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)

TOLD: dict[str, Any] = {
    "management.store.changed.v1": told.StoreChanged,
    "management.order.accepted.v1": told.OrderAccepted,
    "management.order.registered.v1": told.WalkInRegistered,
    "management.order.called.v1": told.OrderCalled,
    "management.order.seated.v1": told.OrderSeated,
    "management.order.completed.v1": told.OrderCompleted,
    "management.order.canceled.v1": told.OrderCanceled,
    "management.order.restored.v1": told.OrderRestored,
}

EVENT_OF_STATE = {
    Reception.REQUESTED: ("added", reception.ReceptionAdded),
    Reception.WAITING: ("added", reception.ReceptionAdded),
    Reception.CALLED: ("called", reception.ReceptionCalled),
    Reception.SEATED: ("seated", reception.ReceptionSeated),
    Reception.COMPLETED: ("closed", reception.ReceptionClosed),
    Reception.NO_SHOW: ("closed", reception.ReceptionClosed),
    Reception.REJECTED: ("closed", reception.ReceptionClosed),
    Reception.CANCELED: ("canceled", reception.ReceptionCanceled),
}


def at(moment: datetime) -> Timestamp:
    """A moment as the contracts write it."""
    time = Timestamp()
    time.FromDatetime(moment)
    return time


@dataclass
class House:
    """Management running, what it has told, and the voices of reception and seat."""

    service: Service[Any]
    bus: MemoryBus
    clock: ManualClock
    stub: Any
    channel: grpc.aio.Channel
    heard: list[tuple[str, Any]] = field(default_factory=list)
    versions: "count[int]" = field(default_factory=lambda: count(1))

    async def receive(self, body: Envelope) -> None:
        self.heard.extend((event.type, TOLD[event.type].FromString(event.data)) for event in body.events)

    def orders_told(self, fact: str) -> list[Order]:
        return [message.order for kind, message in self.heard if kind == f"management.order.{fact}.v1"]

    def stores_told(self) -> list[Store]:
        return [message.store for kind, message in self.heard if kind == "management.store.changed.v1"]

    async def tell(self, kind: str, message: ProtoMessage) -> None:
        """Publish one event; returns once management has committed it."""
        source = kind.split(".")[0]
        event = Message(kind, "a", "b", message.SerializeToString())
        await self.bus.publish(envelope(source, [event], self.clock.now()))

    async def reception_is(self, name: str, state: Reception.State.ValueType, **facts: Any) -> None:
        """Reception tells where a reception is; each time with a greater version."""
        fact, event = EVENT_OF_STATE[state]
        facts = {"version": next(self.versions), "party_size": 2, "waiting_number": 1, **facts}
        snapshot = reception.ReceptionSnapshot(name=name, state=state, create_time=at(NOON), **facts)
        await self.tell(f"reception.reception.{fact}.v1", event(reception=snapshot))

    async def table_is(self, name: str, **facts: Any) -> None:
        """Seat tells of a table."""
        facts = {"version": next(self.versions), "capacity": 4, "state": Table.FREE, **facts}
        await self.tell("seat.table.changed.v1", seat.TableChanged(table=Table(name=name, **facts)))

    async def open_store(self, store_id: str = "sushi", **facts: Any) -> Store:
        store = Store(**{"display_name": "Sushi", **facts})
        created: Store = await self.stub.CreateStore(CreateStoreRequest(store_id=store_id, store=store))
        opened: Store = await self.stub.OpenStore(OpenStoreRequest(name=created.name))
        return opened

    async def join(self, order_id: str, store_id: str = "sushi", **facts: Any) -> str:
        """A party joins the line; gives the order's name once the order is there."""
        await self.reception_is(f"stores/{store_id}/receptions/{order_id}", Reception.WAITING, **facts)
        return f"stores/{store_id}/orders/{order_id}"

    async def told_of(self, fact: str, order_name: str) -> Order:
        """The order as an event told it."""

        def found() -> Order | None:
            return next((order for order in self.orders_told(fact) if order.name == order_name), None)

        order = await eventually(found)
        assert isinstance(order, Order)
        return order


@asynccontextmanager
async def management(folder: Path, *, clock: ManualClock | None = None) -> AsyncIterator[House]:
    """A management service on a database in `folder`."""
    bus, clock = MemoryBus(), clock or ManualClock(NOON)
    settings = Settings(
        "management", "127.0.0.1:0", place(folder, "management"), {}, keys=KEYS, limits=ROOMY, longest_pace_seconds=0
    )
    service = build(settings, bus, clock)
    async with running(service) as address, grpc.aio.insecure_channel(address) as plain:
        channel = entitled(plain)
        house = House(service, bus, clock, ManagementServiceStub(channel), channel)
        await bus.subscribe(Subscription("test", frozenset(TOLD), house.receive))
        yield house


@dataclass(frozen=True)
class Refused:
    """How a call was refused."""

    code: grpc.StatusCode
    reason: str
    fields: tuple[str, ...]


async def refusal(call: Any) -> Refused:
    """Awaits a call that must be refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    details: dict[str, Any] = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(details["grpc-status-details-bin"])
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    return Refused(error.code(), info.reason, tuple(v.field for v in bad.field_violations))
