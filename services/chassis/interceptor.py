"""The one interceptor: deadlines, load limit, errors and the request log of every method."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.message import DecodeError

from services.chassis import grpc_errors
from services.chassis.kernel import DeadlineExceeded, DomainError, ServerStopping, TooBusy, uuid7
from services.chassis.logs import get_logger

log = get_logger(__name__)

# grpc core sheds at random above 1,000 pending calls: we refuse in an orderly way before that
MAX_CALLS = 900
LONGEST_SECONDS = 10.0

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""Monotonic time by which the present call must have been answered."""


class _Undecodable:
    """Stands in for a request whose bytes could not be decoded."""


_UNDECODABLE = _Undecodable()


class Edge(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server. No servicer catches, logs or counts by itself.

    `running` is how many unary calls are under way. Once `stopping` is set new ones are refused, and streams end.
    """

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self.running = 0
        self.stopping = asyncio.Event()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler: Any = await continuation(handler_call_details)
        if handler is None or handler.request_streaming or not handler_call_details.method.startswith("/tabling."):
            return handler
        method = handler_call_details.method
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, handler.unary_stream),
                request_deserializer=_tolerant(handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method, handler.unary_unary),
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _unary(self, method: str, behavior: Callable[[Any, Any], Awaitable[Any]]) -> Any:
        async def call(request: Any, context: Any) -> Any:
            if self.stopping.is_set():
                await self._refuse(method, context, ServerStopping("the server is stopping; call again"))
            if self.running >= MAX_CALLS:
                await self._refuse(method, context, TooBusy(f"{self.running} calls are running"))
            self.running += 1
            try:
                seconds = _seconds_left(context)
                deadline.set(time.monotonic() + seconds)
                async with asyncio.timeout(seconds):
                    self._check(request)
                    return await behavior(request, context)
            except TimeoutError:
                await self._refuse(method, context, DeadlineExceeded("the deadline passed"))
            except Exception as error:
                await self._refuse(method, context, error)
            finally:
                self.running -= 1

        return call

    def _stream(self, method: str, behavior: Callable[[Any, Any], AsyncIterator[Any]]) -> Any:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                self._check(request)
                async for response in _until(self.stopping, behavior(request, context)):
                    yield response
            except Exception as error:
                await self._refuse(method, context, error)

        return call

    def _check(self, request: Any) -> None:
        if request is _UNDECODABLE:
            raise grpc_errors.undecodable(self._domain)

    async def _refuse(self, method: str, context: Any, error: Exception) -> NoReturn:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        refusal = self._refusal(method, error)
        await context.abort(refusal.code, refusal.message, trailing_metadata=refusal.metadata)
        raise AssertionError("abort returned")

    def _refusal(self, method: str, error: Exception) -> grpc_errors.Refusal:
        if isinstance(error, grpc_errors.Refusal):
            log.info("refused", method=method, code=error.code.name)
            return error
        if isinstance(error, DomainError):
            log.info("refused", method=method, code=error.kind.value, reason=error.reason)
            return grpc_errors.refusal(error, self._domain)
        correlation_id = uuid7()
        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
            log.error("request failed", method=method, exc_info=error)
        return grpc_errors.internal(self._domain, correlation_id)


async def _until(stopping: asyncio.Event, responses: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The responses, cut short by `ServerStopping` when the server stops: streams must not eat its grace."""
    stop = asyncio.ensure_future(stopping.wait())
    following: asyncio.Future[Any] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(responses))
            await asyncio.wait((following, stop), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                raise ServerStopping("the server is stopping; connect again")
            try:
                yield following.result()
            except StopAsyncIteration:
                return
    finally:
        for task in (stop, following):
            if task is not None:
                task.cancel()


def _tolerant(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decode(data: bytes) -> Any:
        try:
            return deserialize(data)
        except (DecodeError, UnicodeDecodeError, ValueError):
            return _UNDECODABLE

    return decode


def _seconds_left(context: Any) -> float:
    left: float | None = context.time_remaining()
    if left is None:
        return LONGEST_SECONDS
    if left <= 0:
        raise TimeoutError
    return min(left, LONGEST_SECONDS)
