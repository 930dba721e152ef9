"""Metrics: what a service counts while it runs, as plain numbers that cost next to nothing to keep."""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

Labels = tuple[str, ...]

Readings = Mapping["Family", Mapping[Labels, float]]
"""What a source says of its gauges, by the values of their labels."""

Source = Callable[[], Awaitable[Readings]]
"""Asked whenever somebody looks, so that nothing is paid for figures that nobody reads."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
PIECES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


class Sample(NamedTuple):
    """One line of a metric; `suffix` is what the line's name has behind the metric's."""

    suffix: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. Every service has the label `service` on it, and then these; their values must be few."""

    name: str
    help: str
    labels: Labels = ()
    kind: Literal["counter", "gauge", "histogram"] = "gauge"

    def labelled(self, values: Labels) -> dict[str, str]:
        """The labels with their values."""
        return dict(zip(self.labels, values, strict=True))


class Counter:
    """Goes up, from the start of the process."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self._counts: dict[Labels, float] = {} if family.labels else {(): 0}

    def add(self, *labels: str, by: float = 1) -> None:
        """Count `by` more."""
        self._counts[labels] = self._counts.get(labels, 0) + by

    def samples(self) -> Iterator[Sample]:
        """All counts so far."""
        for values, count in self._counts.items():
            yield Sample("", self.family.labelled(values), count)


class Histogram:
    """How often something was how much."""

    def __init__(self, family: Family, bounds: Sequence[float]) -> None:
        self.family = family
        self._bounds = bounds
        # the counts by bucket, the one beyond all bounds included, and the sum
        self._seen: dict[Labels, tuple[list[int], list[float]]] = {}
        if not family.labels:
            self._begin(())

    def observe(self, value: float, *labels: str) -> None:
        """It was `value` once more."""
        counts, total = self._seen.get(labels) or self._begin(labels)
        counts[bisect_left(self._bounds, value)] += 1
        total[0] += value

    def samples(self) -> Iterator[Sample]:
        """Cumulative counts by upper bound, count and sum."""
        for values, (counts, total) in self._seen.items():
            labels = self.family.labelled(values)
            so_far = 0
            for bound, count in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
                so_far += count
                yield Sample("_bucket", {**labels, "le": bound}, so_far)
            yield Sample("_count", labels, so_far)
            yield Sample("_sum", labels, total[0])

    def _begin(self, labels: Labels) -> tuple[list[int], list[float]]:
        seen = self._seen[labels] = ([0] * (len(self._bounds) + 1), [0.0])
        return seen


class Gauge:
    """Is what it is at the moment somebody looks."""

    def __init__(self, family: Family, read: Callable[[], float]) -> None:
        self.family = family
        self._read = read

    def samples(self) -> Iterator[Sample]:
        """The value now."""
        yield Sample("", {}, self._read())


K = TypeVar("K", Counter, Histogram, Gauge)


class Metrics:
    """All that one service counts. The event loop's thread alone may touch it.

    It knows no library: `metrics_port` shows it to Prometheus.
    """

    def __init__(self, service: str = "") -> None:
        self.service = service
        self.kept: list[Counter | Histogram | Gauge] = []
        self.asked: list[Family] = []
        self.sources: dict[str, Source] = {}
        self.calls = self.counter("tabling_rpc_calls_total", "Calls that ended, by gRPC code.", "method", "code")
        self.call_seconds = self.histogram(
            "tabling_rpc_seconds", "Seconds from the arrival of a unary call to its answer.", SECONDS, "method"
        )
        self.refusals = self.counter("tabling_refusals_total", "Broken rules and bugs told to callers.", "reason")
        self.transactions = self.counter("tabling_transactions_total", "Transactions tried.", "outcome")
        self.transaction_work = self.histogram(
            "tabling_transaction_work", "Pieces of work that share a transaction.", PIECES
        )
        self.transaction_seconds = self.histogram(
            "tabling_transaction_seconds", "Seconds from a transaction's beginning to its commit.", SECONDS
        )
        self.published = self.counter("tabling_envelopes_published_total", "Envelopes that the bus took over.")
        self.publish_failures = self.counter("tabling_publish_failures_total", "Envelopes that the bus did not take.")
        self.events = self.counter("tabling_events_applied_total", "Events applied and committed.", "source")
        self.duplicates = self.counter(
            "tabling_events_duplicate_total", "Events that came again and changed nothing.", "source"
        )
        self.attempts_failed = self.counter(
            "tabling_event_attempts_failed_total", "Attempts to apply events that failed.", "reason"
        )
        self.put_aside = self.counter(
            "tabling_events_put_aside_total", "Times that an event was put aside because it kept failing.", "reason"
        )
        self.timers_fired = self.counter("tabling_timers_fired_total", "Timers that were fired.", "kind")

    def counter(self, name: str, help_: str, *labels: str) -> Counter:
        """A new counter; its name ends in `_total`."""
        return self._keep(Counter(Family(name, help_, labels, "counter")))

    def histogram(self, name: str, help_: str, bounds: Sequence[float], *labels: str) -> Histogram:
        """A new histogram with these upper bounds of its buckets."""
        return self._keep(Histogram(Family(name, help_, labels, "histogram"), bounds))

    def gauge(self, name: str, help_: str, read: Callable[[], float]) -> None:
        """A new gauge; `read` must be quick."""
        self._keep(Gauge(Family(name, help_), read))

    def ask(self, dependency: str, families: Sequence[Family], source: Source) -> None:
        """New gauges that a dependency has to be asked for: `source` may take its time, and fail."""
        self.asked.extend(families)
        self.sources[dependency] = source

    def _keep(self, kept: K) -> K:
        self.kept.append(kept)
        return kept
