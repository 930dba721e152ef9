"""Through the gateway as a gRPC caller: the public methods and nothing else, with proper statuses."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.local.gateway_settings import Limits
from tabling.messaging.v1 import event_feed_service_pb2, event_feed_service_pb2_grpc
from tabling.reception.v1 import contact_service_pb2, contact_service_pb2_grpc
from tabling.reception.v1 import reception_service_pb2 as reception
from tabling.reception.v1 import reception_service_pb2_grpc as reception_grpc
from tests.e2e.gateway import Asked, gateway_before_an_upstream
from tests.entitled import KEYS

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

GET = "/tabling.reception.v1.ReceptionService/GetReception"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    limits = Limits(unary_seconds=2)
    async with gateway_before_an_upstream(tmp_path_factory.mktemp("gateway"), limits=limits) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="module")
async def channel(asked: Asked) -> AsyncIterator[grpc.aio.Channel]:
    # Retries off: what the gateway says is what the test is about.
    options = (("grpc.enable_retries", 0),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{asked.gateway.port}", options=options) as it:
        yield it


def bytes_to(channel: grpc.aio.Channel, method: str, body: bytes) -> Awaitable[Any]:
    """A call to any method with any bytes as its message."""
    call: Any = channel.unary_unary(method)
    answer: Awaitable[Any] = call(body)
    return answer


def named(name: str) -> reception.GetReceptionRequest:
    return reception.GetReceptionRequest(name=f"stores/s1/receptions/{name}")


async def failure(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """The status that the call ended with, and the reason given with it."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    error = raised.value
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if not isinstance(details, bytes):
        return error.code(), ""
    status = status_pb2.Status.FromString(details)
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return error.code(), f"{info.domain} {info.reason}"


async def test_a_public_method_can_be_called(channel: grpc.aio.Channel) -> None:
    call = reception_grpc.ReceptionServiceStub(channel).GetReception(named("r1"))
    assert (await call).name == "stores/s1/receptions/r1"
    assert await call.code() is grpc.StatusCode.OK


async def test_a_refusal_of_a_service_keeps_its_details(channel: grpc.aio.Channel) -> None:
    call = reception_grpc.ReceptionServiceStub(channel).GetReception(named("missing"))
    assert await failure(call) == (grpc.StatusCode.NOT_FOUND, "reception.tabling RECEPTION_NOT_FOUND")


async def test_a_stream_flows(asked: Asked, channel: grpc.aio.Channel) -> None:
    call = reception_grpc.ReceptionServiceStub(channel).WatchReception(
        reception.WatchReceptionRequest(name="stores/s1/receptions/r1")
    )
    for version in (1, 2, 3):
        asked.upstream.to_watchers.put_nowait(version)
        step: Any = await call.read()
        assert step.reception.version == version
    asked.upstream.to_watchers.put_nowait(None)
    assert await call.read() is grpc.aio.EOF


async def test_a_stream_flows_both_ways(channel: grpc.aio.Channel) -> None:
    call = reception_grpc.ReceptionServiceStub(channel).CreateReceptions()
    for tag in (1, 2, 3):
        await call.write(reception.CreateReceptionsRequest(tag=tag))
        step: Any = await call.read()
        assert step.tag == tag
    await call.done_writing()
    assert await call.code() is grpc.StatusCode.OK


async def test_services_for_the_inside_cannot_be_reached(channel: grpc.aio.Channel) -> None:
    contacts = contact_service_pb2_grpc.ContactServiceStub(channel)
    call = contacts.BatchGetContacts(contact_service_pb2.BatchGetContactsRequest())
    assert await failure(call) == (grpc.StatusCode.UNIMPLEMENTED, "gateway.tabling UNKNOWN_METHOD")
    feed = event_feed_service_pb2_grpc.EventFeedServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await feed.ReadSnapshots(event_feed_service_pb2.ReadSnapshotsRequest()).read()
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    "method",
    [
        "/tabling.reception.v1.ReceptionService/Nope",
        "/tabling.reception.v1.receptionservice/GetReception",
        "/tabling.reception.v1.ReceptionService/GetReception/",
        "/no.such.Service/Method",
        "/v1/stores/s1/receptions/r1",
        "/healthz2",
    ],
)
async def test_an_unknown_method_is_unimplemented(asked: Asked, channel: grpc.aio.Channel, method: str) -> None:
    before = len(asked.upstream.calls)
    for body in (b"", b'{"name":"stores/s1"}'):
        status = await failure(bytes_to(channel, method, body))
        assert status == (grpc.StatusCode.UNIMPLEMENTED, "gateway.tabling UNKNOWN_METHOD")
    assert len(asked.upstream.calls) == before


async def test_a_method_name_that_is_no_text_is_malformed(channel: grpc.aio.Channel) -> None:
    status = await failure(bytes_to(channel, f"{GET}%ff", b""))
    assert status == (grpc.StatusCode.INVALID_ARGUMENT, "gateway.tabling MALFORMED_PATH")


async def test_a_call_without_a_deadline_gets_the_longest_one(asked: Asked, channel: grpc.aio.Channel) -> None:
    await reception_grpc.ReceptionServiceStub(channel).GetReception(named("r1"))
    left = asked.upstream.last.seconds_left
    assert left is not None
    assert 1 < left <= 2


async def test_a_deadline_reaches_the_service_and_ends_the_call(asked: Asked, channel: grpc.aio.Channel) -> None:
    call = reception_grpc.ReceptionServiceStub(channel).GetReception(named("slow"), timeout=1)
    code, _ = await failure(call)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    left = asked.upstream.last.seconds_left
    assert left is not None
    assert left <= 1


async def test_nobody_may_wait_longer_than_the_longest_deadline(channel: grpc.aio.Channel) -> None:
    call = reception_grpc.ReceptionServiceStub(channel).GetReception(named("slow"), timeout=60)
    code, _ = await failure(call)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_message_larger_than_a_json_body_may_be_passes_to_the_service(
    asked: Asked, channel: grpc.aio.Channel
) -> None:
    request = reception.CreateReceptionRequest(parent="stores/s1", request_id="x" * 200_000)
    await reception_grpc.ReceptionServiceStub(channel).CreateReception(request)
    assert asked.upstream.last.request == request


async def test_headers_that_only_the_inside_may_set_are_taken_away(asked: Asked, channel: grpc.aio.Channel) -> None:
    names = ("x-tabling-principal", "x-tabling-service", "x-tabling-key", "x-envoy-original-path")
    forged = tuple((name, "guessed") for name in names)
    stub = reception_grpc.ReceptionServiceStub(channel)
    await stub.GetReception(named("r1"), metadata=forged)
    seen = asked.upstream.last.metadata
    assert not {"x-tabling-principal", "x-tabling-service", "x-envoy-original-path"} & seen.keys()
    assert seen["x-tabling-key"] == KEYS[0]


async def test_the_gateway_answers_health_checks_for_receptions(asked: Asked, channel: grpc.aio.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await asked.upstream.say("", serving=False)
    answer = await stub.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    await asked.upstream.say("", serving=True)


async def services_listed(channel: grpc.aio.Channel) -> list[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answer = await call.read()
    return [service.name for service in answer.list_services_response.service]


async def test_reflection_is_off_unless_wanted(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await services_listed(channel)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_reflection_answers_when_wanted(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("reflecting")
    async with (
        gateway_before_an_upstream(folder, reflection_upstream="reception") as asked,
        grpc.aio.insecure_channel(f"127.0.0.1:{asked.gateway.port}") as channel,
    ):
        assert "tabling.reception.v1.ReceptionService" in await services_listed(channel)
