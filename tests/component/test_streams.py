"""Open streams: so many to a caller, and however one ends it makes room for another."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from services.chassis.callers import ADDRESS, FORWARDED_FOR, PASS, Identity, as_principal, as_service
from services.chassis.grpc_server import GrpcServer
from services.chassis.interceptor import Edge
from services.chassis.kernel import Role
from services.chassis.limits import Limits
from services.chassis.permissions import ALL, OWN, Door
from services.chassis.testing import eventually
from tests.component.reception_kit import refusal
from tests.component.test_edge import SERVICE, Handlers, said
from tests.entitled import KEYS

LIMITS = Limits(
    most_streams_of_customer=2,
    most_streams_of_pass=3,
    most_streams_of_address=4,
    most_streams_of_staff=5,
    most_streams_of_operator=6,
    most_streams_of_backend=7,
)
DOOR = Door(
    KEYS,
    {
        f"{SERVICE}/Stream": {Role.ANYBODY: OWN, Role.OPERATOR: ALL},
        f"{SERVICE}/Both": {Role.ANYBODY: ALL},
    },
)
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)
NOBODY = as_service(KEYS, "")[:1]
STAFF = {"aud": "tabling-staff", "stores": ["a"]}


def customer(name: str) -> Identity:
    return as_principal(KEYS, aud="tabling-customer", sub=name)


def from_(address: str, *more: tuple[str, str]) -> Identity:
    """Nobody known, as the gateway tells of them."""
    return (*NOBODY, (FORWARDED_FOR, f"6.6.6.6, {address}"), *more)


@dataclass
class Place:
    """A server, and the streams that are open."""

    edge: Edge
    target: str
    channel: Any
    calls: list[Any] = field(default_factory=list)

    async def open(self, by: Identity, what: str = "", method: str = "Stream", seconds: float | None = None) -> Any:
        """A stream that has answered once."""
        path = f"/{SERVICE}/{method}"
        if method == "Stream":
            call = self.channel.unary_stream(path)(said(what), metadata=by, timeout=seconds)
        else:
            call = self.channel.stream_stream(path)(metadata=by)
            await call.write(said(what))
        self.calls.append(call)
        await call.read()
        return call

    async def open_most(self, by: Identity, most: int, method: str = "Stream") -> None:
        """As many as may be; one more is refused."""
        for _ in range(most):
            await self.open(by, method=method)
        refused = await refusal(self.open(by, method=method))
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
        assert refused.retry_after

    def is_empty(self) -> bool:
        return not self.edge.by_caller.open and not self.edge.streams


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    edge = Edge("test.tabling", DOOR, limits=LIMITS)
    server = GrpcServer("127.0.0.1:0", edge, (SERVICE,), Handlers().register)
    await server.start()
    try:
        target = f"127.0.0.1:{server.port}"
        async with grpc.aio.insecure_channel(target) as channel:
            here = Place(edge, target, channel)
            yield here
            for call in here.calls:
                call.cancel()
            await eventually(here.is_empty)
    finally:
        await server.stop(0)


@pytest.mark.parametrize(
    ("by", "another", "most"),
    [
        (customer("anna"), customer("ben"), 2),
        ((*NOBODY, (PASS, "secret")), (*NOBODY, (PASS, "other")), 3),
        (from_("1.1.1.1"), from_("1.1.1.2"), 4),
        ((*NOBODY, (ADDRESS, "1.1.1.1")), (*NOBODY, (ADDRESS, "1.1.1.2")), 4),
        (as_principal(KEYS, **STAFF, sub="kim", role="host"), as_principal(KEYS, **STAFF, sub="lee", role="host"), 5),
        (as_principal(KEYS, aud="tabling-operator", sub="root"), customer("anna"), 6),
        (as_principal(KEYS, aud="tabling-backend", sub="app", customers="a"), customer("anna"), 7),
    ],
    ids=["customer", "pass", "address", "address that is told apart", "staff", "operator", "backend"],
)
async def test_each_caller_has_so_many_streams_of_their_own(by: Identity, another: Identity, most: int) -> None:
    async with place() as here:
        await here.open_most(by, most)
        await here.open(another)


async def test_streams_of_requests_count_too() -> None:
    async with place() as here:
        await here.open(customer("anna"))
        await here.open(customer("anna"), method="Both")
        assert (await refusal(here.open(customer("anna")))).reason == "TOO_MANY_STREAMS"


async def test_where_all_may_listen_a_made_up_pass_makes_no_room() -> None:
    async with place() as here:
        for n in range(4):
            await here.open(from_("1.1.1.1", (PASS, f"made up {n}")), method="Both")
        refused = await refusal(here.open(from_("1.1.1.1", (PASS, "another")), method="Both"))
        assert refused.reason == "TOO_MANY_STREAMS"


async def test_what_callers_say_of_where_they_are_does_not_count() -> None:
    async with place() as here:
        for n in range(4):
            await here.open((*NOBODY, (FORWARDED_FOR, f"6.6.6.{n},1.1.1.1")))
        assert (await refusal(here.open(from_("1.1.1.1")))).reason == "TOO_MANY_STREAMS"


async def test_our_own_services_have_as_many_as_they_need() -> None:
    async with place() as here:
        for _ in range(20):
            await here.open(as_service(KEYS, "dashboard"))


async def _cancel(call: Any) -> None:
    call.cancel()


async def _read_on(call: Any) -> None:
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call.read()


@pytest.mark.parametrize(
    ("what", "method", "seconds", "end"),
    [
        ("", "Stream", None, _cancel),
        ("bug", "Stream", None, _read_on),
        ("", "Stream", 0.5, _read_on),
        ("", "Both", None, lambda call: call.done_writing()),
        ("", "Both", None, _cancel),
    ],
    ids=["canceled", "failed", "out of time", "done", "requests canceled"],
)
async def test_however_a_stream_ends_there_is_room_for_another(
    what: str, method: str, seconds: float | None, end: Callable[[Any], Any]
) -> None:
    async with place() as here:
        for _ in range(3):
            calls = [await here.open(customer("anna"), what, method, seconds) for _ in range(2)]
            for call in calls:
                await end(call)
            await eventually(here.is_empty)


async def test_who_goes_away_without_a_word_makes_room_too() -> None:
    async with place() as here, grpc.aio.insecure_channel(here.target, OWN_CONNECTION) as channel:
        gone = Place(here.edge, here.target, channel)
        await gone.open_most(customer("anna"), 2)
        await channel.close()
        await eventually(here.is_empty)
        await here.open(customer("anna"))
