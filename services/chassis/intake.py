"""The intake: what a consumer tells of the events that it applies."""

import itertools
from collections.abc import Iterable, Sequence

from services.chassis.logs import get_logger
from services.chassis.telemetry import Telemetry
from tabling.messaging.v1.envelope_pb2 import Event

log = get_logger(__name__)


class Intake:
    """One attempt to apply some events, as a block. Set `fresh` to False when they had been applied before.

    `causes` are the traceparents, event by event, for what comes of them.
    """

    def __init__(self, telemetry: Telemetry, events: Sequence[Event]) -> None:
        self._telemetry = telemetry
        self._events = events
        self._spans = telemetry.follow(f"apply {events[0].type}", "CONSUMER", events)
        self.causes: Iterable[str] = itertools.repeat("")
        if self._spans:
            self.causes = [span.traceparent if (span := self._spans.get(e.traceparent)) else "" for e in events]
        self.fresh = True

    def __enter__(self) -> "Intake":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            self._telemetry.metrics.attempts_failed.add(type(error).__name__)
        elif error is None:
            self._applied()
        self._spans.end(type(error).__name__ if error else "")

    def _applied(self) -> None:
        metrics = self._telemetry.metrics
        counter = metrics.events if self.fresh else metrics.duplicates
        counter.add(self._events[0].type.partition(".")[0], by=len(self._events))
        if self.fresh and self._telemetry.logs_changes:
            for event in self._events:
                log.info("applied", type=event.type, subject=event.subject, correlation_id=event.correlation_id)
