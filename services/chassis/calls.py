"""Calls: each is counted, traced where traces are on, and logged where somebody wants a line of it."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from google.protobuf.message import Message

from services.chassis import tracing
from services.chassis.logs import get_logger, tell
from services.chassis.telemetry import Telemetry
from services.chassis.tracing import SERVER_FAULTS, Span

log = get_logger(__name__)

LONGEST_ID = 63

Saga = Callable[[str], str]
"""The correlation id in a resource's name; empty when it has none."""


def no_saga(name: str) -> str:
    """What services know whose resources belong to no saga."""
    return ""


def saga_after(collection: str, ends: str = "/") -> Saga:
    """What services know whose resources are called `…collection/{id}`, the id being that of the saga."""
    marker = f"{collection}/"

    def saga(name: str) -> str:
        return name.partition(marker)[2].partition(ends)[0][:LONGEST_ID]

    return saga


class Method(NamedTuple):
    """What has to be known of a method: how it is called in figures, and whether its requests have these fields."""

    name: str
    named: bool
    changes: bool


class Calls:
    """The calls of one server. `streams` is how many streams are open."""

    def __init__(self, telemetry: Telemetry, saga: Saga) -> None:
        self.telemetry = telemetry
        self.saga = saga
        self.streams = 0
        self._methods: dict[str, Method] = {}

    def begin(self, method: str, request: Any, context: Any) -> "Call":
        """A unary call begins."""
        call = self._call(method, request)
        if self.telemetry.tracer:
            call.trace(self.telemetry.tracer, context)
        return call

    def begin_stream(self, method: str, request: Any = None) -> "Call":
        """A stream opens; it may last for hours, so it is neither timed nor traced."""
        self.streams += 1
        return self._call(method, request, streams=True)

    def _call(self, method: str, request: Any, *, streams: bool = False) -> "Call":
        found = self._method(method, request)
        # bytes that are no message have no name either
        saga = self.saga(getattr(request, "name", "")) if found.named else ""
        if saga:
            tell(correlation_id=saga)
        return Call(self, found, saga, streams=streams)

    def _method(self, method: str, request: Any) -> Method:
        found = self._methods.get(method)
        if found is None:
            fields = request.DESCRIPTOR.fields_by_name if isinstance(request, Message) else {}
            found = Method(method.removeprefix("/"), "name" in fields, "request_id" in fields)
            if fields:
                self._methods[method] = found
        return found


class Call:
    """One call under way. `code` is the name of the gRPC code that it ends with."""

    __slots__ = ("_calls", "_saga", "_span", "_started", "_streams", "code", "method")

    def __init__(self, calls: Calls, method: Method, saga: str, *, streams: bool) -> None:
        self._calls = calls
        self._saga = saga
        self._streams = streams
        self._span: Span | None = None
        self._started = time.perf_counter()
        self.method = method
        # what it is unless somebody says otherwise: the caller went away
        self.code = "CANCELLED"

    @property
    def milliseconds(self) -> float:
        """Since it began."""
        return round((time.perf_counter() - self._started) * 1000, 1)

    def trace(self, tracer: tracing.Tracer, context: Any) -> None:
        """Begin its span, as part of the caller's trace if there is one."""
        brought = next((value for key, value in context.invocation_metadata() or () if key == "traceparent"), "")
        self._span = tracer.begin(self.method.name, "SERVER", brought)
        tracing.cause.set(self._span.traceparent if self._span else "")

    def end(self, response: Any = None) -> None:
        """It is over; `response` is what it was answered with."""
        metrics = self._calls.telemetry.metrics
        metrics.calls.add(self.method.name, self.code)
        if self._streams:
            self._calls.streams -= 1
        else:
            metrics.call_seconds.observe(time.perf_counter() - self._started, self.method.name)
        if self._span:
            self._end_span(self._span, self._saga_of(response))
        # one that was refused has its line already
        if self.code in ("OK", "CANCELLED") and self._is_logged():
            fields = {"method": self.method.name, "code": self.code, "ms": self.milliseconds}
            if saga := self._saga_of(response):
                fields["correlation_id"] = saga
            log.info("call", **fields)

    def _is_logged(self) -> bool:
        telemetry = self._calls.telemetry
        return telemetry.logs_calls or (telemetry.logs_changes and self.method.changes)

    def _saga_of(self, response: Any) -> str:
        return self._saga or self._calls.saga(getattr(response, "name", ""))

    def _end_span(self, span: Span, saga: str) -> None:
        system = {"rpc.system.name": "grpc", "rpc.method": self.method.name}
        span.note({**system, "rpc.response.status_code": self.code, "tabling.correlation_id": saga})
        span.end(self.code if self.code in SERVER_FAULTS else "")
