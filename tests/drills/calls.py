"""What was asked of a system over all its lives, and what came of each request."""

import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Any, Protocol, Self

import grpc

from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub

NO_ANSWER = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
    }
)
"""Statuses after which a caller cannot know whether anything was done."""

PATIENCE_SECONDS = 5.0
MOST_TIMES = 20


class Running(Protocol):
    """A system that can be asked."""

    def channel(self, service: str) -> Any:
        """A gRPC channel to a service."""

    async def ended(self) -> None:
        """Return once nobody will answer any more."""


class NoAnswer(Exception):
    """Nobody knows what came of a request."""


@dataclass
class Call:
    """One change that was asked for: answered, refused, or in doubt as long as it is neither."""

    service: str
    method: str
    request: Any
    answer: Any = None
    refusal: grpc.StatusCode | None = None

    @property
    def in_doubt(self) -> bool:
        return self.answer is None and self.refusal is None


@dataclass
class Record:
    """All changes ever asked for, in the order of asking; the parties that were let in, and how many were tried."""

    random: Random
    calls: list[Call] = field(default_factory=list)
    parties: list[str] = field(default_factory=list)
    customers: int = 0

    def accepted(self, *methods: str) -> Iterator[Call]:
        """Calls that were answered, of these methods only or of all."""
        return (c for c in self.calls if c.answer is not None and (not methods or c.method in methods))

    def in_doubt(self) -> list[Call]:
        """Calls whose answer never came."""
        return [call for call in self.calls if call.in_doubt]

    def new_request_id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


class Client:
    """Talks to one life of a system, straight to its services, and keeps the record."""

    def __init__(self, system: Running, record: Record) -> None:
        self.system = system
        self.record = record
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        stubs = {"reception": ReceptionServiceStub, "seat": SeatServiceStub, "management": ManagementServiceStub}
        self._stubs: dict[str, Any] = {}
        for service, stub in stubs.items():
            channel = await self._open.enter_async_context(self.system.channel(service))
            self._stubs[service] = stub(channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def change(self, service: str, request: Any) -> Any:
        """The answer to a request for a change, or None when it is refused. Raises `NoAnswer`."""
        call = self._new(service, request)
        await self.repeat(call)
        return call.answer

    async def insist(self, service: str, request: Any) -> Any:
        """The answer to a request for a change, asked for until there is one, or None when it is refused."""
        call = self._new(service, request)
        for _ in range(MOST_TIMES):
            with suppress(NoAnswer):
                await self.repeat(call)
                return call.answer
        raise NoAnswer(f"{call.method}: not in {MOST_TIMES} times")

    async def repeat(self, call: Call) -> None:
        """Ask once more, in the very same words. Raises `NoAnswer`."""
        try:
            call.answer = await self._ask(call.service, call.request)
        except grpc.aio.AioRpcError as error:
            if error.code() in NO_ANSWER:
                raise NoAnswer(f"{call.method}: {error.code().name}") from None
            call.refusal = error.code()

    async def read(self, service: str, request: Any) -> Any:
        """What is so now, or None when there is no such thing. Raises `NoAnswer`."""
        try:
            return await self._ask(service, request)
        except grpc.aio.AioRpcError as error:
            if error.code() in NO_ANSWER:
                raise NoAnswer(f"{_method(request)}: {error.code().name}") from None
            return None

    def _new(self, service: str, request: Any) -> Call:
        request.request_id = self.record.new_request_id()
        call = Call(service, _method(request), request)
        self.record.calls.append(call)
        return call

    async def _ask(self, service: str, request: Any) -> Any:
        return await getattr(self._stubs[service], _method(request))(request, timeout=PATIENCE_SECONDS)


def _method(request: Any) -> str:
    return str(type(request).__name__.removesuffix("Request"))
