"""Somebody who talks to a cluster through its gateway, by JSON or by gRPC, and remembers how every request ended."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import aiohttp
import grpc
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from services.chassis.grpc_errors import DETAILS_KEY
from tabling.dashboard.v1 import dashboard_service_pb2
from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceStub
from tabling.management.v1 import management_service_pb2
from tabling.notification.v1 import notification_service_pb2
from tabling.notification.v1.notification_service_pb2_grpc import NotificationServiceStub
from tabling.reception.v1 import reception_service_pb2
from tabling.seat.v1 import seat_service_pb2
from tests.drills.calls import NO_ANSWER, Client, Record, Running
from tests.drills.transcoding import as_http
from tests.e2e.callers import Callers

PATIENCE_SECONDS = 15.0
"""Longer than the gateway's: what takes too long is told by the gateway."""

CONTRACTS = {
    "reception": (reception_service_pb2, "ReceptionService"),
    "seat": (seat_service_pb2, "SeatService"),
    "management": (management_service_pb2, "ManagementService"),
    "dashboard": (dashboard_service_pb2, "DashboardService"),
    "notification": (notification_service_pb2, "NotificationService"),
}
CODES = {code.value[0]: code for code in grpc.StatusCode}

FAILED = frozenset(code.name for code in NO_ANSWER | {grpc.StatusCode.UNIMPLEMENTED})
"""Codes of requests that failed; the others were answered, be it with a refusal."""

NOTHING = status_pb2.Status()

BUSY = "TOO_BUSY"
"""The reason of a refusal that is no rule of a restaurant."""


class WithGateway(Running, Protocol):
    """A system that is reached through one address."""

    @property
    def url(self) -> str:
        """That address, for HTTP."""

    @property
    def callers(self) -> Callers:
        """Whoever may call it."""


@dataclass(frozen=True)
class Asked:
    """One request, when and how it was made, how it ended (a code's name, a reason), and how long it took."""

    at: float
    by: str
    method: str
    code: str
    reason: str
    details: str
    seconds: float

    @property
    def is_read(self) -> bool:
        return self.method.startswith(("Get", "List", "Search", "Check"))

    @property
    def failed(self) -> bool:
        return self.code in FAILED or self.reason == BUSY


class Visitor(Client):
    """A client that asks by JSON as often as by gRPC."""

    def __init__(self, system: WithGateway, record: Record) -> None:
        super().__init__(system, record)
        self._url = system.url
        self._callers = system.callers
        self.asked: list[Asked] = []

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        for service, stub in (("dashboard", DashboardServiceStub), ("notification", NotificationServiceStub)):
            self._stubs[service] = stub(await self._open.enter_async_context(self.system.channel(service)))
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        self._http = await self._open.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        return self

    @property
    def failures(self) -> Sequence[Asked]:
        """Requests that failed."""
        return [asked for asked in self.asked if asked.failed]

    async def _ask(self, service: str, request: Any) -> Any:
        method = type(request).__name__.removesuffix("Request")
        by = self.record.random.choice(("json", "grpc"))
        began, code, reason, details = time.monotonic(), "OK", "", ""
        try:
            return await (self._by_json if by == "json" else self._by_grpc)(service, method, request)
        except grpc.aio.AioRpcError as error:
            code, reason, details = error.code().name, _reason(error), str(error.details())
            raise
        finally:
            self.asked.append(Asked(began, by, method, code, reason, details, time.monotonic() - began))

    async def _by_grpc(self, service: str, method: str, request: Any) -> Any:
        return await getattr(self._stubs[service], method)(request, timeout=PATIENCE_SECONDS)

    async def _by_json(self, service: str, method: str, request: Any) -> Any:
        contract = _contract(service, method)
        wanted = as_http(contract, request)
        headers = dict(self._callers.told(f"/{contract.containing_service.full_name}/{method}", request))
        asking = self._http.request(wanted.method, self._url + wanted.path, json=wanted.body, headers=headers)
        try:
            async with asking as answer:
                text, status = await answer.text(), answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _failed(grpc.StatusCode.UNAVAILABLE, repr(error)) from None
        if status == 200:
            return json_format.Parse(text, GetMessageClass(contract.output_type)())
        if not text.startswith("{"):  # of the ingress gateway: ours was not reached
            raise _failed(grpc.StatusCode.UNAVAILABLE, f"HTTP {status}: {text}")
        told = json_format.Parse(text, status_pb2.Status())
        raise _failed(CODES[told.code], f"HTTP {status}: {told.message}", told)


def _contract(service: str, method: str) -> MethodDescriptor:
    module, name = CONTRACTS[service]
    found: MethodDescriptor = module.DESCRIPTOR.services_by_name[name].methods_by_name[method]
    return found


def _failed(code: grpc.StatusCode, details: str, told: status_pb2.Status = NOTHING) -> grpc.aio.AioRpcError:
    trailing = grpc.aio.Metadata((DETAILS_KEY, told.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details)


def _reason(error: grpc.aio.AioRpcError) -> str:
    """The reason of a refusal; empty when there is none."""
    trailing = dict(error.trailing_metadata() or ())
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(bytes(trailing.get(DETAILS_KEY, b""))).details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


async def asked(client: Visitor, more: int, seconds: float = 120.0) -> None:
    """Return once so many further requests have ended."""
    wanted = len(client.asked) + more
    async with asyncio.timeout(seconds):
        while len(client.asked) < wanted:  # noqa: ASYNC110 - looks at what others do
            await asyncio.sleep(0.05)
