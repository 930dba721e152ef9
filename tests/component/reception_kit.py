"""A whole reception service for tests, with the test in the place of all other services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message as ProtoMessage
from google.rpc import error_details_pb2, status_pb2

from scripts.bench.roomy import ROOMY
from services.chassis.bus import Subscription
from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import ManualClock
from services.chassis.limits import Limits
from services.chassis.messages import Message, envelope
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running
from services.reception.app import build
from tabling.management.v1 import events_pb2 as management
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.messaging.v1.envelope_pb2 import Envelope
from tabling.reception.v1 import events_pb2 as told
from tabling.reception.v1 import reception_service_pb2 as rpc
from tabling.reception.v1.contact_service_pb2_grpc import ContactServiceStub
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tabling.seat.v1 import events_pb2 as seat
from tabling.seat.v1 import seat_service_pb2 as seat_rpc
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceServicer, add_SeatServiceServicer_to_server
from tests.component.place import place
from tests.entitled import KEYS, PASS_KEYS, PHONE_KEYS, entitled

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)

TOLD = {
    "reception.reception.added.v1": told.ReceptionAdded,
    "reception.reception.numbered.v1": told.ReceptionNumbered,
    "reception.reception.postponed.v1": told.ReceptionPostponed,
    "reception.reception.neared.v1": told.ReceptionNeared,
    "reception.reception.called.v1": told.ReceptionCalled,
    "reception.reception.seated.v1": told.ReceptionSeated,
    "reception.reception.canceled.v1": told.ReceptionCanceled,
    "reception.reception.closed.v1": told.ReceptionClosed,
    "reception.reception.restored.v1": told.ReceptionRestored,
}

SEATING_EVENTS: dict[Any, tuple[str, Any]] = {
    seat.Seating.HELD: ("added", seat.SeatAdded),
    seat.Seating.OCCUPIED: ("taken", seat.SeatTaken),
    seat.Seating.FREED: ("freed", seat.SeatFreed),
    seat.Seating.TAKEN: ("canceled", seat.SeatCanceled),
    seat.Seating.EXPIRED: ("canceled", seat.SeatCanceled),
}


class Seats(SeatServiceServicer):
    """Stands in for seat: every table fits, or none."""

    def __init__(self) -> None:
        self.fit = False
        self.broken = False
        self.away_for = 0
        self.calls: list[list[seat_rpc.SeatQuestion]] = []
        self.answering = asyncio.Event()
        self.answering.set()

    async def CheckSeats(self, request: seat_rpc.CheckSeatsRequest, context: Any) -> seat_rpc.CheckSeatsResponse:
        self.calls.append(list(request.questions))
        if self.broken:
            await context.abort(grpc.StatusCode.INTERNAL, "broken")
        if len(self.calls) <= self.away_for:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        await self.answering.wait()
        answers = [seat_rpc.SeatAnswer(available=self.fit) for _ in request.questions]
        return seat_rpc.CheckSeatsResponse(answers=answers)


@dataclass
class House:
    """Reception running, what it has told, and the voices of seat and management."""

    service: Service[Any]
    bus: MemoryBus
    clock: ManualClock
    stub: Any
    contacts: Any
    channel: grpc.aio.Channel
    seats: Seats
    heard: list[tuple[str, Any]] = field(default_factory=list)
    versions: "count[int]" = field(default_factory=lambda: count(1))

    async def receive(self, body: Envelope) -> None:
        self.heard.extend((e.type.split(".")[2], TOLD[e.type].FromString(e.data)) for e in body.events)

    async def first_added(self) -> str:
        """The name of the first reception that was told of."""
        await eventually(lambda: self.heard)
        name: str = self.heard[0][1].reception.name
        return name

    def told(self, name: str) -> list[str]:
        """What was told of a reception, oldest first."""
        return [fact for fact, message in self.heard if message.reception.name == name]

    async def told_of(self, fact: str, name: str) -> Any:
        """The last event of this kind about a reception, once it was told."""

        def last() -> Any:
            found = [m for f, m in self.heard if f == fact and m.reception.name == name]
            return found[-1] if found else None

        return await eventually(last)

    async def tell(self, kind: str, *messages: ProtoMessage) -> None:
        """Publish events in one envelope; returns once reception has committed it."""
        events = [Message(kind, "a", "b", message.SerializeToString()) for message in messages]
        await self.bus.publish(envelope(kind.split(".")[0], events, self.clock.now()))

    async def store_is(self, store_id: str = "sushi", **facts: Any) -> Store:
        """Management tells of a store; each time with a greater version."""
        facts = {"version": next(self.versions), "state": Store.OPEN, "display_name": "Sushi", **facts}
        store = Store(name=f"stores/{store_id}", **facts)
        await self.tell("management.store.changed.v1", management.StoreChanged(store=store))
        return store

    async def seating_is(self, name: str, state: seat.Seating.State.ValueType, **facts: Any) -> None:
        """Seat tells of a reception's seating; each time with a greater version."""
        facts = {"version": next(self.versions), **facts}
        if state == seat.Seating.HELD:
            facts = {"table": f"{store_of(name)}/tables/t1", **facts}
            facts.setdefault("hold_expire_time", self.clock.now() + FIVE_MINUTES)
        fact, event = SEATING_EVENTS[state]
        seating = seat.Seating(reception=name, state=state, **facts)
        await self.tell(f"seat.seating.{fact}.v1", event(seating=seating))

    async def order_is(self, name: str, state: Order.State.ValueType, fact: str, **facts: Any) -> None:
        """Management tells of a reception's order; each time with a greater version."""
        await self.tell(f"management.order.{fact}.v1", self.order_event(name, state, fact, **facts))

    def order_event(self, name: str, state: Order.State.ValueType, fact: str, **facts: Any) -> Any:
        facts = {"version": next(self.versions), "party_size": 2, **facts}
        order_name = name.replace("/receptions/", "/orders/")
        kind = "WalkInRegistered" if fact == "registered" else f"Order{fact.capitalize()}"
        return getattr(management, kind)(order=Order(name=order_name, reception=name, state=state, **facts))

    async def called(self, name: str, **facts: Any) -> None:
        await self.seating_is(name, seat.Seating.HELD, **facts)

    async def join(self, party_size: int = 2, *, store: str = "sushi", request: Any = None, **facts: Any) -> Reception:
        """A party joins a line."""
        party = Reception(party_size=party_size, **facts)
        asked = rpc.CreateReceptionRequest(parent=f"stores/{store}", reception=party, **(request or {}))
        joined: Reception = await self.stub.CreateReception(asked)
        return joined

    async def get(self, name: str) -> Reception:
        found: Reception = await self.stub.GetReception(rpc.GetReceptionRequest(name=name))
        return found

    async def cancel(self, name: str, **facts: Any) -> Reception:
        canceled: Reception = await self.stub.CancelReception(rpc.CancelReceptionRequest(name=name, **facts))
        return canceled

    async def postpone(self, name: str, parties: int = 1, **facts: Any) -> Reception:
        request = rpc.PostponeReceptionRequest(name=name, parties=parties, **facts)
        postponed: Reception = await self.stub.PostponeReception(request)
        return postponed


def store_of(name: str) -> str:
    """`stores/{store}` of a reception's name."""
    return "/".join(name.split("/")[:2])


@asynccontextmanager
async def seat_service() -> AsyncIterator[tuple[Seats, str]]:
    """A stand-in for seat on a port of its own."""
    seats, server = Seats(), grpc.aio.server()  # type: ignore[abstract]
    add_SeatServiceServicer_to_server(seats, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield seats, f"127.0.0.1:{port}"
    finally:
        seats.answering.set()
        await server.stop(None)


@asynccontextmanager
async def reception(
    folder: Path,
    *,
    clock: ManualClock | None = None,
    heartbeat_seconds: float = 15.0,
    seat_target: str = "",
    limits: Limits = ROOMY,
    phone_keys: tuple[str, ...] = PHONE_KEYS,
) -> AsyncIterator[House]:
    """A reception service on a database in `folder`."""
    async with seat_service() as (seats, target):
        bus, clock = MemoryBus(), clock or ManualClock(NOON)
        settings = Settings(
            "reception",
            "127.0.0.1:0",
            place(folder, "reception"),
            {"seat": seat_target or target},
            keys=KEYS,
            pass_keys=PASS_KEYS,
            phone_keys=phone_keys,
            limits=limits,
            heartbeat_seconds=heartbeat_seconds,
            longest_pace_seconds=0,
        )
        service = build(settings, bus, clock)
        async with running(service) as address, grpc.aio.insecure_channel(address) as plain:
            channel = entitled(plain)
            stub, contacts = ReceptionServiceStub(channel), ContactServiceStub(channel)
            house = House(service, bus, clock, stub, contacts, channel, seats)
            await bus.subscribe(Subscription("test", frozenset(TOLD), house.receive))
            yield house


@dataclass(frozen=True)
class Refused:
    """How a call was refused."""

    code: grpc.StatusCode
    reason: str
    fields: tuple[str, ...]
    metadata: dict[str, str]
    retry_after: timedelta = field(default=timedelta(), compare=False)


async def refusal(call: Any) -> Refused:
    """Awaits a call that must be refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    details: dict[str, Any] = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(details["grpc-status-details-bin"])
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        detail.Unpack(retry)
    fields, wait = tuple(v.field for v in bad.field_violations), retry.retry_delay.ToTimedelta()
    return Refused(error.code(), info.reason, fields, dict(info.metadata), wait)
