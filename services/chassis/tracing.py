"""Traces: the way of one call through calls, transactions and events. OpenTelemetry is loaded only to be used."""

import asyncio
import random
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from services.chassis.running import CannotRun

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan

cause: ContextVar[str] = ContextVar("cause", default="")
"""W3C traceparent of the span that what runs now belongs to; empty when it is not traced."""

EXPORT_SECONDS = 2.0
"""How long the collector may take for a batch, which is lost after that."""

SPANS_KEPT, SPANS_AT_ONCE = 4096, 1024
"""How many spans wait for the collector before new ones are dropped, and how many travel together."""

SERVER_FAULTS = frozenset(("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"))
"""gRPC codes that make a call's span an error; the others are the caller's business."""

SAMPLED = 0x01
"""The flag of a traceparent whose caller records the trace."""

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


class TracingUnavailable(CannotRun):
    """Traces are switched on, and OpenTelemetry is not installed."""


class Span:
    """One step of a trace. `traceparent` is what makes others its children."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: "OtelSpan") -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def note(self, attributes: Mapping[str, str | int | float | bool]) -> None:
        """Have these attributes."""
        self._span.set_attributes(attributes)

    def end(self, error: str = "") -> None:
        """It is over; `error` says why it failed, empty when it did not."""
        if error:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()

    def ended_by(self, future: asyncio.Future[Any]) -> None:
        """End when the future is done, as it ended."""
        if future.cancelled():
            self.end("canceled")
        else:
            error = future.exception()
            self.end(type(error).__name__ if error else "")


class Spans(dict[str, Span]):
    """One step in several traces, by the traceparent that each of them follows."""

    def end(self, error: str = "") -> None:
        """It is over in all of them."""
        for span in self.values():
            span.end(error)


class Tracer:
    """Makes one service's spans and sends them to a collector, in the background.

    `share` is the share of calls, 0 to 1, that begin a trace; a call that brings a traceparent is traced if its
    caller says so. Raises `TracingUnavailable`.
    """

    def __init__(self, service: str, endpoint: str, share: float) -> None:
        try:
            from opentelemetry import context, trace
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        except ImportError as error:
            raise TracingUnavailable(
                f"TABLING_TRACES is set, but {error.name} is missing: type pip install '.[otel]'"
            ) from error
        self._share = share
        self._trace = trace
        self._nowhere = context.Context()
        resource = Resource.create({"service.name": service, "service.namespace": "tabling"})
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=SPANS_KEPT,
                max_export_batch_size=SPANS_AT_ONCE,
                schedule_delay_millis=1000,
            )
        )
        self._tracer = self._provider.get_tracer("tabling")

    def begin(self, name: str, kind: str, traceparent: str = "") -> Span | None:
        """A span that may begin a trace; None when this one is not traced. Kinds are OpenTelemetry's."""
        if traceparent and (found := _TRACEPARENT.fullmatch(traceparent)):
            trace_id, span_id, flags = (int(part, 16) for part in found.groups())
            return self._below(trace_id, span_id, name, kind) if flags & SAMPLED else None
        if random.random() >= self._share:  # noqa: S311 - a sample
            return None
        return Span(self._tracer.start_span(name, self._nowhere, self._trace.SpanKind[kind]))

    def follow(self, name: str, kind: str, traceparent: str) -> Span | None:
        """A span of a trace that was begun elsewhere; None when there is none."""
        return self.begin(name, kind, traceparent) if traceparent else None

    def follow_all(self, name: str, kind: str, traceparents: Iterable[str]) -> Spans:
        """A span in each of these traces."""
        spans = {parent: self.follow(name, kind, parent) for parent in dict.fromkeys(traceparents)}
        return Spans({parent: span for parent, span in spans.items() if span})

    async def close(self) -> None:
        """Send what is left, which takes some seconds at most."""
        await asyncio.to_thread(self._provider.shutdown)

    def _below(self, trace_id: int, span_id: int, name: str, kind: str) -> Span:
        trace = self._trace
        parent = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(SAMPLED))
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent), self._nowhere)
        return Span(self._tracer.start_span(name, context, trace.SpanKind[kind]))


def metadata(traceparent: str) -> tuple[tuple[str, str], ...]:
    """What a gRPC call carries so that its server goes on with the trace; nothing where there is none."""
    return (("traceparent", traceparent),) if traceparent else ()
