"""A whole seat service for tests, with the test in the place of reception and management."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
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
from services.seat.app import build
from tabling.management.v1.events_pb2 import StoreChanged
from tabling.management.v1.store_pb2 import Store
from tabling.messaging.v1.envelope_pb2 import Envelope
from tabling.reception.v1 import events_pb2 as reception
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1 import events_pb2 as told
from tabling.seat.v1 import seat_service_pb2 as rpc
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub
from tabling.seat.v1.table_pb2 import Availability, Table
from tests.component.place import place
from tests.entitled import KEYS, entitled

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
TIMEOUT = timedelta(minutes=5)
STEP = 2**20

TOLD: dict[str, Any] = {
    "seat.seating.added.v1": told.SeatAdded,
    "seat.seating.canceled.v1": told.SeatCanceled,
    "seat.seating.taken.v1": told.SeatTaken,
    "seat.seating.freed.v1": told.SeatFreed,
    "seat.table.changed.v1": told.TableChanged,
    "seat.availability.changed.v1": told.AvailabilityChanged,
}

EVENT_OF_STATE: dict[int, tuple[str, Any]] = {
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


def snapshot(party: str, state: Reception.State.ValueType, version: int, *, store: str = "s1", **facts: Any) -> Message:
    """A reception as reception tells of it."""
    fact, event = EVENT_OF_STATE[state]
    name = f"stores/{store}/receptions/{party}"
    facts = {"party_size": 2, "order_key": STEP, **facts}
    body = reception.ReceptionSnapshot(name=name, state=state, version=version, **facts)
    return Message(f"reception.reception.{fact}.v1", name, party, event(reception=body).SerializeToString())


@dataclass
class House:
    """The seat service running, what it has told, and the voices of reception and management."""

    service: Service[Any]
    bus: MemoryBus
    clock: ManualClock
    stub: Any
    channel: grpc.aio.Channel
    heard: list[tuple[str, Any]] = field(default_factory=list)
    versions: "count[int]" = field(default_factory=lambda: count(100))

    async def receive(self, body: Envelope) -> None:
        self.heard.extend((event.type, TOLD[event.type].FromString(event.data)) for event in body.events)

    async def tell(self, *messages: Message, source: str = "reception") -> None:
        """Publish events in one envelope; returns once the service has committed them."""
        await self.bus.publish(envelope(source, list(messages), self.clock.now()))

    async def store_is(self, store: str = "s1", version: int = 1, **policy: Any) -> None:
        """Management tells of a store."""
        policy = {"call_timeout": Duration(seconds=int(TIMEOUT.total_seconds())), **policy}
        body = StoreChanged(store=Store(name=f"stores/{store}", version=version, **policy))
        message = Message("management.store.changed.v1", store, store, body.SerializeToString())
        await self.tell(message, source="management")

    async def reception_is(self, party: str, state: Reception.State.ValueType, **facts: Any) -> None:
        """Reception tells where a party is; each time with a greater version."""
        await self.tell(snapshot(party, state, next(self.versions), **facts))

    async def join(self, party: str, size: int = 2, **facts: Any) -> None:
        """A party joins at the end of the line."""
        version = next(self.versions)
        await self.tell(snapshot(party, Reception.WAITING, version, party_size=size, order_key=version * STEP, **facts))

    async def add_table(self, table_id: str, capacity: int, store: str = "s1", **facts: Any) -> Table:
        table = Table(capacity=capacity, **facts)
        request = rpc.CreateTableRequest(parent=f"stores/{store}", table_id=table_id, table=table)
        created: Table = await self.stub.CreateTable(request)
        return created

    async def table(self, table_id: str, store: str = "s1") -> Table:
        found: Table = await self.stub.GetTable(rpc.GetTableRequest(name=f"stores/{store}/tables/{table_id}"))
        return found

    async def has(self, table_id: str) -> str:
        """Who has a table, and how."""
        table = await self.table(table_id)
        return f"{Table.State.Name(table.state)} {table.reception.rpartition('/')[2]}".strip()

    async def could_sit(self, *parties: tuple[int, str], store: str = "s1") -> list[bool]:
        """CheckSeats for some (size, section)."""
        questions = [rpc.SeatQuestion(store=f"stores/{store}", party_size=n, section=s) for n, s in parties]
        answer = await self.stub.CheckSeats(rpc.CheckSeatsRequest(questions=questions))
        return [each.available for each in answer.answers]

    def seatings(self, party: str) -> list[told.Seating]:
        """What was told of a party, in order."""
        found = (message.seating for kind, message in self.heard if kind.startswith("seat.seating."))
        return [seating for seating in found if seating.reception.endswith(f"/{party}")]

    async def told_of(self, party: str, state: told.Seating.State.ValueType) -> told.Seating:
        """The party's seating in that state, once it was told."""

        def found() -> told.Seating | None:
            return next((seating for seating in self.seatings(party) if seating.state == state), None)

        seating = await eventually(found)
        assert isinstance(seating, told.Seating)
        return seating

    def last_table(self, table_id: str) -> Table | None:
        """The newest that was told of a table."""
        found = [m.table for kind, m in self.heard if kind == "seat.table.changed.v1"]
        return max((t for t in found if t.name.endswith(f"/{table_id}")), key=lambda t: t.version, default=None)

    def last_availability(self) -> Availability | None:
        """The newest that was told of free seats."""
        found = (m.availability for kind, m in self.heard if kind == "seat.availability.changed.v1")
        return max(found, key=lambda availability: availability.version, default=None)


@asynccontextmanager
async def seat(folder: Path, *, clock: ManualClock | None = None) -> AsyncIterator[House]:
    """A seat service on a database in `folder`."""
    bus, clock = MemoryBus(), clock or ManualClock(NOON)
    service = build(
        Settings("seat", "127.0.0.1:0", place(folder, "seat"), {}, keys=KEYS, limits=ROOMY, longest_pace_seconds=0),
        bus,
        clock,
    )
    async with running(service) as address, grpc.aio.insecure_channel(address) as plain:
        channel = entitled(plain)
        house = House(service, bus, clock, SeatServiceStub(channel), channel)
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
    assert info.domain == "seat.tabling"
    return Refused(error.code(), info.reason, tuple(v.field for v in bad.field_violations))


def same(first: ProtoMessage, second: ProtoMessage) -> bool:
    """True when both say the same."""
    return first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)
