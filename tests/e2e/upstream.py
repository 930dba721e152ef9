"""All services in one gRPC server that answers by rule: what the tests of the gateway put behind it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Self

import grpc
from google.protobuf import any_pb2, message_factory
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from services.local.gateway_routes import PUBLIC
from tabling.dashboard.v1 import dashboard_service_pb2
from tabling.management.v1 import management_service_pb2
from tabling.messaging.v1 import event_feed_service_pb2
from tabling.notification.v1 import notification_service_pb2
from tabling.reception.v1 import contact_service_pb2, reception_service_pb2
from tabling.seat.v1 import seat_service_pb2

# As the services have them: the gateway lets 8 KiB of headers in, and they grow on the way.
OPTIONS = (("grpc.max_metadata_size", 16384), ("grpc.absolute_max_metadata_size", 16384))
FILES = (
    contact_service_pb2,
    dashboard_service_pb2,
    event_feed_service_pb2,
    management_service_pb2,
    notification_service_pb2,
    reception_service_pb2,
    seat_service_pb2,
)
SERVICES = [service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]


@dataclass(frozen=True)
class Call:
    """One call as the upstream saw it."""

    method: str
    request: Any
    metadata: dict[str, str]
    seconds_left: float | None


class Upstream:
    """The server; listens inside `async with`, on a free port or on the one given.

    It answers every call with what the request names. The ids `missing`, `failing` and `slow` are what they say, and
    a watcher is told the versions put into `to_watchers`, 0 for a heartbeat, until a None.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.calls: list[Call] = []
        self.to_watchers: asyncio.Queue[int | None] = asyncio.Queue()
        self._health = HealthServicer()

    @property
    def last(self) -> Call:
        return self.calls[-1]

    async def __aenter__(self) -> Self:
        server = self._server = grpc.aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers(tuple(self._handlers()))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((*PUBLIC.values(), reflection.SERVICE_NAME), server)
        for name in ("", *PUBLIC.values()):
            await self.say(name, serving=True)
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def say(self, service: str, *, serving: bool) -> None:
        """Say of one service whether it is serving."""
        states = health_pb2.HealthCheckResponse
        await self._health.set(service, states.SERVING if serving else states.NOT_SERVING)

    def _handlers(self) -> Iterator[grpc.GenericRpcHandler]:
        for service in SERVICES:
            methods = {method.name: self._handler(method) for method in service.methods}
            yield grpc.method_handlers_generic_handler(service.full_name, methods)

    def _handler(self, method: Any) -> Any:
        reply_class = message_factory.GetMessageClass(method.output_type)

        async def answer(request: Any, context: Any) -> Any:
            await self._note(method, request, context)
            named = "name" in method.input_type.fields_by_name and "name" in method.output_type.fields_by_name
            return reply_class(name=request.name) if named else reply_class()

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            await self._note(method, request, context)
            while (version := await self.to_watchers.get()) is not None:
                yield reply_class(reception={"version": version}) if version else reply_class(heartbeat=True)

        async def exchange(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
            async for request in requests:
                await self._note(method, request, context)
                yield reply_class(tag=request.tag)

        wire: dict[str, Any] = {
            "request_deserializer": message_factory.GetMessageClass(method.input_type).FromString,
            "response_serializer": reply_class.SerializeToString,
        }
        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(exchange, **wire)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, **wire)
        return grpc.unary_unary_rpc_method_handler(answer, **wire)

    async def _note(self, method: Any, request: Any, context: Any) -> None:
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        self.calls.append(Call(method.name, request, metadata, context.time_remaining()))
        match str(getattr(request, "name", getattr(request, "parent", ""))).split("/"):
            case [*_, "missing"]:
                await refuse(context, grpc.StatusCode.NOT_FOUND, "RECEPTION_NOT_FOUND")
            case [*_, "failing"]:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "at present")
            case [*_, "slow"]:
                await asyncio.sleep(60)


async def refuse(context: Any, code: grpc.StatusCode, reason: str) -> None:
    """Abort as the services do: with a reason."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="reception.tabling"))
    status = status_pb2.Status(code=code_pb2.Code.Value(code.name), message="no such thing", details=[info])
    details = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, status.message, trailing_metadata=details)
