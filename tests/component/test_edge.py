"""The edge of every gRPC server: errors, deadlines, load and stopping, the same for all methods."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scripts.bench.roomy import ROOMY
from services.chassis.callers import as_principal
from services.chassis.grpc_server import LIVE, READY, AddressInUse, GrpcServer
from services.chassis.interceptor import MAX_DIALOGUES, Edge
from services.chassis.kernel import InvalidField, NotFound, Role, Violation
from services.chassis.permissions import ALL, Door
from services.chassis.signals import Signals
from services.chassis.testing import eventually
from services.local.calling import telling
from tests.entitled import KEYS

SERVICE = "tabling.test.v1.TestService"
DOOR = Door(KEYS, {f"{SERVICE}/{method}": {Role.ANYBODY: ALL} for method in ("Unary", "Stream", "Both")})
ANYBODY = as_principal(KEYS, aud="tabling-operator", sub="tests")


class Handlers:
    """Methods that behave as the request says."""

    def __init__(self) -> None:
        self.never = asyncio.Event()
        self.ended = asyncio.Event()
        self.seconds: list[float] = []

    async def unary(self, request: StringValue, context: Any) -> StringValue:
        self.seconds.append(context.time_remaining() or 0)
        match request.value:
            case "rule":
                raise NotFound("thing 1 does not exist", thing="1")
            case "fields":
                raise InvalidField(Violation("a", "is bad"), Violation("b", "is worse"))
            case "bug":
                raise ValueError("secret internals")
            case "slow":
                await self.never.wait()
        return request

    async def stream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield request
        if request.value == "bug":
            raise ValueError("secret internals")
        await self.never.wait()

    async def both(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        try:
            async for request in requests:
                if request.value == "bug":
                    raise ValueError("secret internals")
                yield request
        finally:
            self.ended.set()

    def register(self, server: grpc.aio.Server) -> None:
        methods = {
            "Unary": grpc.unary_unary_rpc_method_handler(
                self.unary, StringValue.FromString, StringValue.SerializeToString
            ),
            "Both": grpc.stream_stream_rpc_method_handler(
                self.both, StringValue.FromString, StringValue.SerializeToString
            ),
            "Stream": grpc.unary_stream_rpc_method_handler(
                self.stream, StringValue.FromString, StringValue.SerializeToString
            ),
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[GrpcServer, Any, Handlers]]:
    """A server with those methods."""
    handlers = Handlers()
    server = GrpcServer("127.0.0.1:0", Edge("test.tabling", DOOR, limits=ROOMY), (SERVICE,), handlers.register)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield server, telling(channel, ANYBODY), handlers
    finally:
        await server.stop(0)


async def refused(channel: Any, body: bytes, **options: Any) -> grpc.aio.AioRpcError:
    """The error that a unary call with these bytes ends in."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(f"/{SERVICE}/Unary")(body, **options)
    return caught.value


def details(error: grpc.aio.AioRpcError) -> list[Any]:
    """The google.rpc details of an error."""
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    found = []
    for detail in status.details:
        message = getattr(error_details_pb2, detail.TypeName().rpartition(".")[2])()
        detail.Unpack(message)
        found.append(message)
    return found


def said(value: str) -> bytes:
    """A request."""
    return StringValue(value=value).SerializeToString()


async def test_a_broken_rule_becomes_its_code_with_reason_and_both_languages() -> None:
    async with serving() as (_, channel, _):
        error = await refused(channel, said("rule"))
        assert error.code() is grpc.StatusCode.NOT_FOUND
        info, korean, english = details(error)
        assert (info.reason, info.domain, dict(info.metadata)) == ("NOT_FOUND", "test.tabling", {"thing": "1"})
        assert (korean.locale, english.locale) == ("ko", "en")


async def test_wrong_fields_are_all_named() -> None:
    async with serving() as (_, channel, _):
        error = await refused(channel, said("fields"))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert [violation.field for violation in details(error)[-1].field_violations] == ["a", "b"]


async def test_a_bug_is_internal_and_tells_nothing_but_where_to_look() -> None:
    async with serving() as (_, channel, _):
        error = await refused(channel, said("bug"))
        assert error.code() is grpc.StatusCode.INTERNAL
        assert error.details() == "internal error"
        assert "secret" not in str(error)
        assert details(error)[0].metadata["correlation_id"]


async def test_bytes_that_are_no_message_are_an_invalid_argument() -> None:
    async with serving() as (_, channel, _):
        for body in (b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"{}"):
            error = await refused(channel, body)
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert details(error)[0].reason == "UNDECODABLE_REQUEST"


async def test_a_call_without_a_deadline_gets_one() -> None:
    async with serving() as (_, channel, handlers):
        error = await refused(channel, said("slow"), timeout=0.2)
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        # deadlines travel in units of their own
        assert 0 < handlers.seconds[0] < 0.3


async def test_a_bug_in_the_middle_of_a_stream_tells_nothing_either() -> None:
    async with serving() as (_, channel, _):
        call: Any = channel.unary_stream(f"/{SERVICE}/Stream")(said("bug"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in call:
                pass
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in str(caught.value)


async def test_streams_end_at_once_when_the_server_stops() -> None:
    async with serving() as (server, channel, _):
        call: Any = channel.unary_stream(f"/{SERVICE}/Stream")(said("x"))
        await call.read()
        async with asyncio.timeout(20):
            await server.stop(60)
        assert await call.code() is grpc.StatusCode.UNAVAILABLE


async def test_streams_of_requests_end_at_once_when_the_server_stops_and_say_so() -> None:
    async with serving() as (server, channel, _):
        call: Any = channel.stream_stream(f"/{SERVICE}/Both")()
        await call.write(said("x"))
        assert await call.read() == said("x")
        async with asyncio.timeout(20):
            await server.stop(60)
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
        assert "stopping" in await call.details()


@pytest.mark.parametrize(
    ("body", "code"), [(b"\xff\xff\xff", grpc.StatusCode.INVALID_ARGUMENT), (said("bug"), grpc.StatusCode.INTERNAL)]
)
async def test_a_message_that_cannot_be_treated_ends_a_stream_of_requests(body: bytes, code: grpc.StatusCode) -> None:
    async with serving() as (_, channel, handlers):
        call: Any = channel.stream_stream(f"/{SERVICE}/Both")()
        await call.write(said("x"))
        assert await call.read() == said("x")
        await call.write(body)
        assert await call.code() is code
        assert "secret" not in await call.details()
        assert handlers.ended.is_set()


async def test_only_so_many_streams_of_requests_are_open_at_once() -> None:
    async with serving() as (_, channel, _):
        calls: list[Any] = [channel.stream_stream(f"/{SERVICE}/Both")() for _ in range(MAX_DIALOGUES)]
        for call in calls:
            await call.write(said("x"))
            await call.read()
        more: Any = channel.stream_stream(f"/{SERVICE}/Both")()
        assert await more.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await calls[0].done_writing()
        assert await calls[0].code() is grpc.StatusCode.OK
        again: Any = channel.stream_stream(f"/{SERVICE}/Both")()
        await again.write(said("x"))
        assert await again.read() == said("x")
        for call in (*calls, again):
            call.cancel()


async def test_a_caller_that_goes_away_ends_its_stream_of_requests() -> None:
    async with serving() as (_, channel, handlers):
        call: Any = channel.stream_stream(f"/{SERVICE}/Both")()
        await call.write(said("x"))
        await call.read()
        call.cancel()
        await eventually(handlers.ended.is_set)


async def test_a_stopping_server_ends_what_it_began_and_refuses_what_comes() -> None:
    async with serving() as (server, channel, handlers):
        begun = asyncio.ensure_future(channel.unary_unary(f"/{SERVICE}/Unary")(said("slow")))
        await eventually(lambda: handlers.seconds)
        stopping = asyncio.create_task(server.stop(5))
        error = await refused(channel, said("late"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert details(error)[0].reason == "SERVER_STOPPING"
        handlers.never.set()
        assert await begun == said("slow")
        await stopping


async def test_health_says_serving_and_while_draining_not_serving() -> None:
    async with serving() as (server, channel, _):
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", SERVICE):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        await server.drain()
        answer = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE))
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def state(channel: Any, service: str) -> str:
    """What the server says of itself under this name."""
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def test_before_it_serves_a_server_is_alive_and_refuses_every_call() -> None:
    server = GrpcServer("127.0.0.1:0", Edge("test.tabling", DOOR, limits=ROOMY), (SERVICE,), Handlers().register)
    await server.listen()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as plain:
        channel = telling(plain, ANYBODY)
        await server.say_ready(True)
        assert [await state(channel, name) for name in (LIVE, READY, "", SERVICE)] == ["SERVING"] + ["NOT_SERVING"] * 3
        error = await refused(channel, said("early"))
        assert details(error)[0].reason == "SERVER_STARTING"
        await server.start()
        assert {await state(channel, name) for name in (LIVE, READY, "", SERVICE)} == {"SERVING"}
        call: Any = channel.unary_unary(f"/{SERVICE}/Unary")
        assert await call(said("x")) == said("x")
    await server.stop(0)


async def test_a_server_that_is_not_ready_serves_all_the_same() -> None:
    async with serving() as (server, channel, _):
        await server.say_ready(True)
        await server.say_ready(False)
        assert [await state(channel, name) for name in (LIVE, READY, SERVICE)] == ["SERVING", "NOT_SERVING", "SERVING"]
        call: Any = channel.unary_unary(f"/{SERVICE}/Unary")
        assert await call(said("x")) == said("x")


async def test_a_taken_port_is_told_by_name() -> None:
    async with serving() as (server, _, handlers):
        second = GrpcServer(
            f"127.0.0.1:{server.port}", Edge("test.tabling", DOOR, limits=ROOMY), (SERVICE,), handlers.register
        )
        with pytest.raises(AddressInUse, match=str(server.port)):
            await second.start()


async def test_a_signal_wakes_those_who_listen_to_its_topic() -> None:
    signals = Signals()
    with signals.listen("a") as a, signals.listen("b") as b:
        signals.send(["a"])
        assert a.is_set()
        assert not b.is_set()
