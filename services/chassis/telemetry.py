"""Telemetry: how a service tells of itself. Figures always; spans, and lines about what went well, where wanted."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.chassis.logs import get_logger, tell
from services.chassis.metrics import Metrics
from services.chassis.settings import Settings
from services.chassis.tracing import Span, Spans, Tracer, cause
from tabling.messaging.v1.envelope_pb2 import Envelope, Event

log = get_logger(__name__)


@dataclass(slots=True)
class Telemetry:
    """What the parts of one service report to.

    `tracer` is None where traces are off. `logs_changes`: calls and events that changed something get a line each;
    `logs_calls`: so do all other calls.
    """

    metrics: Metrics = field(default_factory=Metrics)
    tracer: Tracer | None = None
    logs_changes: bool = False
    logs_calls: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Telemetry":
        """What the settings ask for. Raises `TracingUnavailable`."""
        return cls(
            Metrics(settings.service),
            Tracer(settings.service, settings.traces, settings.traces_share) if settings.traces else None,
            logs_changes=settings.request_log != "refused",
            logs_calls=settings.request_log == "all",
        )

    @contextmanager
    def fires(self, kind: str, key: str) -> Iterator[Callable[[], None]]:
        """A timer's time has come, which may begin a trace; call what this gives once it was fired."""
        tell(correlation_id=key)
        span = self.tracer.begin(f"timer {kind}", "INTERNAL") if self.tracer else None
        cause.set(span.traceparent if span else "")
        try:
            yield lambda: self._fired(kind)
        except Exception as error:
            if span:
                span.end(type(error).__name__)
            raise
        if span:
            span.end()

    def _fired(self, kind: str) -> None:
        self.metrics.timers_fired.add(kind)
        if self.logs_changes:
            log.info("timer fired", kind=kind)

    def asks(self, name: str) -> Span | None:
        """A question to somebody else, if what runs now is traced."""
        return self.tracer.follow(name, "CLIENT", cause.get()) if self.tracer else None

    @contextmanager
    def publishing(self, body: Envelope) -> Iterator[None]:
        """An envelope is being published, in this block."""
        spans = self.follow("publish", "PRODUCER", body.events)
        try:
            yield
        except Exception as error:
            self.metrics.publish_failures.add()
            spans.end(type(error).__name__)
            raise
        self.metrics.published.add()
        spans.end()

    def follow(self, name: str, kind: str, events: Iterable[Event]) -> Spans:
        """A span in each trace that these events belong to."""
        if self.tracer is None:
            return Spans()
        return self.tracer.follow_all(name, kind, (event.traceparent for event in events))
