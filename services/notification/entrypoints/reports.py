"""What is told of notices: how many were settled and how, and the way of traced ones to the vendor."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from services.chassis.logs import get_logger
from services.chassis.telemetry import Telemetry
from services.chassis.tracing import cause
from services.notification.domain.notice import Notice, State

log = get_logger(__name__)


class Reports:
    """Figures, lines and spans of notices."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._settled = telemetry.metrics.counter(
            "tabling_notices_settled_total",
            "Notices whose end is known, and why it is not DELIVERED.",
            "state",
            "reason",
        )
        self._causes: dict[str, str] = {}

    def decided(self, causes: Mapping[str, str]) -> None:
        """Notices were decided, those that are traced by these traceparents."""
        self._causes.update(causes)

    def settled(self, notices: Iterable[Notice]) -> None:
        """Notices came to their end."""
        for notice in notices:
            self._settled.add(notice.state.value, notice.failure)
            fields = {"notice": notice.id, "state": notice.state.value, "correlation_id": notice.reception_id}
            if notice.state is State.FAILED:
                log.warning("notice failed", reason=notice.failure, **fields)
            elif self._telemetry.logs_changes:
                log.info("notice settled", reason=notice.failure, **fields)

    @contextmanager
    def sending(self, batch: Sequence[Notice]) -> Iterator[None]:
        """Notices are taken to the vendor, in this block."""
        traced = [found for notice in batch if (found := self._causes.pop(notice.id, ""))]
        if not (traced and self._telemetry.tracer):
            yield
            return
        spans = self._telemetry.tracer.follow_all("send notice", "CLIENT", traced)
        if len(batch) == 1:
            # what is done for several at once is in no one's trace
            cause.set(spans[traced[0]].traceparent)
        try:
            yield
        except Exception as error:
            spans.end(type(error).__name__)
            raise
        spans.end()
