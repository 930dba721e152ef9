"""Several receptions on one database and one broker; the test is in the place of all other services."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message as ProtoMessage

from scripts.bench.roomy import ROOMY
from services.chassis.bus import Heard, Subscription
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.topology import Topology
from services.chassis.clock import ManualClock
from services.chassis.limits import Limits
from services.chassis.messages import Message, envelope
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running
from services.reception.app import build
from services.subscriptions import SUBSCRIPTIONS
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1 import reception_service_pb2 as rpc
from tabling.reception.v1.contact_service_pb2_grpc import ContactServiceStub
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tests.component.place import place
from tests.component.reception_kit import NOON, TOLD, House, Seats, seat_service
from tests.entitled import KEYS, PASS_KEYS, PHONE_KEYS, entitled

TOPOLOGY = Topology({"reception": SUBSCRIPTIONS["reception"], "test": frozenset(TOLD)})


class Unannounced(RabbitBus):
    """A bus on which nothing is heard of other replicas."""

    def listen(self, service: str, heard: Heard) -> None:
        pass


@dataclass
class Replica(House):
    """One of several receptions; what is told to one of them may be applied by any."""

    async def tell(self, kind: str, *messages: ProtoMessage) -> None:
        """Publish events in one envelope; returns once the broker holds it."""
        events = [Message(kind, "a", "b", message.SerializeToString()) for message in messages]
        body = envelope(kind.split(".")[0], events, self.clock.now())
        await eventually(lambda: _published(self.bus, body), seconds=20)

    async def place(self, name: str) -> int:
        """How many are ahead, as this replica knows."""
        found = await self.stub.GetPlace(rpc.GetPlaceRequest(name=f"{name}/place"))
        ahead: int = found.parties_ahead
        return ahead


async def _published(bus: Any, body: Any) -> bool:
    try:
        await bus.publish(body)
    except Exception:
        return False
    return True


@asynccontextmanager
async def replicas(
    folder: Path, broker: str, *, count: int = 2, bus: type[RabbitBus] = RabbitBus, limits: Limits = ROOMY
) -> AsyncIterator[list[Replica]]:
    """Receptions on one database, each with connections of its own; the store `sushi` is open everywhere."""
    async with AsyncExitStack() as stack:
        seats, target = await stack.enter_async_context(seat_service())
        voice, clock = RabbitBus(broker, TOPOLOGY, name="test"), ManualClock(NOON)
        stack.push_async_callback(voice.close)
        houses: list[Replica] = []
        for _ in range(count):
            one = _replica(folder, bus(broker, TOPOLOGY), voice, clock, seats, target, limits)
            houses.append(await stack.enter_async_context(one))
            houses[-1].heard = houses[0].heard
        await voice.subscribe(Subscription("test", frozenset(TOLD), houses[0].receive))
        await open_everywhere(houses)
        yield houses


@asynccontextmanager
async def _replica(
    folder: Path, own: RabbitBus, voice: Any, clock: ManualClock, seats: Seats, seat_target: str, limits: Limits
) -> AsyncIterator[Replica]:
    settings = Settings(
        "reception",
        "127.0.0.1:0",
        place(folder, "reception"),
        {"seat": seat_target},
        keys=KEYS,
        pass_keys=PASS_KEYS,
        phone_keys=PHONE_KEYS,
        limits=limits,
    )
    service = build(settings, own, clock)
    try:
        async with running(service) as address, grpc.aio.insecure_channel(address) as plain:
            channel = entitled(plain)
            yield Replica(
                service, voice, clock, ReceptionServiceStub(channel), ContactServiceStub(channel), channel, seats
            )
    finally:
        await own.close()


async def open_everywhere(houses: list[Replica], store: str = "sushi", **facts: Any) -> None:
    """A store is told of; returns once every replica knows it."""
    await houses[0].store_is(store, **{"state": Store.OPEN, "max_waiting": 1000, **facts})
    request = rpc.ListReceptionsRequest(parent=f"stores/{store}")
    for house in houses:
        await eventually(partial(house.stub.ListReceptions, request))


async def outcomes(calls: Iterable[Any]) -> list[Any]:
    """What comes of calls that are under way at once."""
    return await asyncio.gather(*calls, return_exceptions=True)


def accepted(answers: Iterable[Any]) -> list[Reception]:
    """Those that were not refused."""
    return [answer for answer in answers if isinstance(answer, Reception)]


def reasons(answers: Iterable[Any]) -> set[str]:
    """Why the others were refused."""
    return {_reason(answer) for answer in answers if isinstance(answer, BaseException)}


def _reason(error: BaseException) -> str:
    assert isinstance(error, grpc.aio.AioRpcError), repr(error)
    return f"{error.code().name}: {error.details()}"
