"""The one interceptor: deadlines, load limit, errors, and what is told of every call."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.message import DecodeError

from services.chassis import grpc_errors
from services.chassis.calls import Call, Calls, Saga, no_saga
from services.chassis.kernel import DeadlineExceeded, ServerStarting, ServerStopping, TooBusy
from services.chassis.limits import Limits
from services.chassis.permissions import Admission, Door
from services.chassis.streams import Streams
from services.chassis.telemetry import Telemetry

T = TypeVar("T")

DEFAULTS = Limits()
# grpc core sheds at random above 1,000 pending calls: we refuse in an orderly way before that
MAX_CALLS = 900
MAX_DIALOGUES = 100
LONGEST_SECONDS = 10.0

deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""Monotonic time by which the present call must have been answered."""


class _Undecodable:
    """Stands in for a request whose bytes could not be decoded."""


_UNDECODABLE = _Undecodable()


class Edge(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server. No servicer catches, logs or counts by itself.

    `running` is how many unary calls are under way, `dialogues` how many streams of requests; `by_caller` tells of all
    streams whose they are. While `starting` all are refused. Once `stopping` is set new ones are refused, streams of
    answers end, and streams of requests bring nothing more.
    """

    def __init__(
        self,
        domain: str,
        door: Door,
        telemetry: Telemetry | None = None,
        saga: Saga = no_saga,
        limits: Limits = DEFAULTS,
    ) -> None:
        self._door = door
        self.by_caller = Streams(limits)
        self.telemetry = telemetry or Telemetry()
        self._refusals = grpc_errors.Refusals(domain, self.telemetry.metrics)
        self._calls = Calls(self.telemetry, saga)
        self._handlers: dict[str, Any] = {}
        self.running = 0
        self.dialogues = 0
        self.starting = False
        self.stopping = asyncio.Event()

    @property
    def streams(self) -> int:
        """How many streams are open, in whichever direction."""
        return self._calls.streams

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        wrapped = self._handlers.get(method)
        if wrapped is None:
            handler: Any = await continuation(handler_call_details)
            if handler is None or not method.startswith("/tabling."):
                return handler
            wrapped = self._handlers[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Any) -> Any:
        wire = {
            "request_deserializer": _tolerant(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        if handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(self._dialogue(method, handler.stream_stream), **wire)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(self._stream(method, handler.unary_stream), **wire)
        return grpc.unary_unary_rpc_method_handler(self._unary(method, handler.unary_unary), **wire)

    def _unary(self, method: str, behavior: Callable[[Any, Any], Awaitable[Any]]) -> Any:
        async def answer(request: Any, context: Any) -> Any:
            call = self._calls.begin(method, request, context)
            response = None
            self.running += 1
            try:
                self._check_open()
                if self.running > MAX_CALLS:
                    raise TooBusy(f"{MAX_CALLS} calls are running")
                self._check(request, self._admit(call, context))
                response = await in_time(context, behavior, request, context)
                call.code = "OK"
                return response
            except Exception as error:
                await self._refuse(call, context, error)
            finally:
                self.running -= 1
                call.end(response)

        return answer

    def _stream(self, method: str, behavior: Callable[[Any, Any], AsyncIterator[Any]]) -> Any:
        async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
            call = self._calls.begin_stream(method, request)
            try:
                self._check_open()
                admission = self._admit(call, context)
                self._check(request, admission)
                with self.by_caller.one(admission):
                    async for response in _until(self.stopping, behavior(request, context)):
                        yield response
                call.code = "OK"
            except Exception as error:
                await self._refuse(call, context, error)
            finally:
                call.end()

        return answer

    def _dialogue(self, method: str, behavior: Callable[[Any, Any], AsyncGenerator[Any]]) -> Any:
        async def answer(requests: Any, context: Any) -> AsyncIterator[Any]:
            call = self._calls.begin_stream(method)
            self.dialogues += 1
            try:
                self._check_open()
                if self.dialogues > MAX_DIALOGUES:
                    raise TooBusy(f"{MAX_DIALOGUES} streams of requests are open")
                admission = self._admit(call, context)
                checked = self._checked(requests, admission)
                with self.by_caller.one(admission):
                    async with aclosing(behavior(_until(self.stopping, checked), context)) as responses:
                        async for response in responses:
                            yield response
                call.code = "OK"
            except Exception as error:
                await self._refuse(call, context, error)
            finally:
                self.dialogues -= 1
                call.end()

        return answer

    def _check_open(self) -> None:
        if self.starting:
            raise ServerStarting("the server does not serve yet; call again")
        if self.stopping.is_set():
            raise _stopping()

    def _admit(self, call: Call, context: Any) -> Admission:
        return self._door.admit(call.method.name, context.invocation_metadata() or ())

    async def _checked(self, requests: AsyncIterator[Any], admission: Admission) -> AsyncIterator[Any]:
        async for request in requests:
            self._check(request, admission)
            yield request

    def _check(self, request: Any, admission: Admission) -> None:
        if request is _UNDECODABLE:
            raise grpc_errors.undecodable(self._refusals.domain)
        admission.check(request)

    async def _refuse(self, call: Call, context: Any, error: Exception) -> NoReturn:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        refusal = self._refusals.of(call.method.name, error, ms=call.milliseconds)
        call.code = refusal.code.name
        await context.abort(refusal.code, refusal.message, trailing_metadata=refusal.metadata)
        raise AssertionError("abort returned")


async def in_time(context: Any, answer: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """What `answer` gives by the caller's deadline, which is the `deadline` of all that it does.

    For one call, or one message of a stream of requests. Raises `DeadlineExceeded`.
    """
    try:
        seconds = _seconds_left(context)
        deadline.set(time.monotonic() + seconds)
        async with asyncio.timeout(seconds):
            return await answer(*arguments)
    except TimeoutError:
        raise DeadlineExceeded("the deadline passed") from None


def _stopping() -> ServerStopping:
    return ServerStopping("the server is stopping; call again")


async def _until(stopping: asyncio.Event, messages: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The messages, cut short by `ServerStopping` when the server stops: streams must not eat its grace."""
    stop = asyncio.ensure_future(stopping.wait())
    following: asyncio.Future[Any] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(messages))
            await asyncio.wait((following, stop), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                raise _stopping()
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
