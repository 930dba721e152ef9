"""The port on which Prometheus reads what services count; loaded only where one is asked for."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from services.chassis.addresses import why_not
from services.chassis.grpc_server import AddressInUse
from services.chassis.logs import get_logger
from services.chassis.metrics import SECONDS, Family, Histogram, Metrics, Readings, Sample

ASK_SECONDS = 2.0
"""How long a dependency may take to answer; who scrapes gives up after ten."""

REQUEST_SECONDS = 5.0
LAG_EVERY_SECONDS = 1.0

UP = Family("tabling_dependency_up", "1 when a dependency answered this scrape, else 0.", ("dependency",))
LAG = Family(
    "tabling_event_loop_lag_seconds", "How late the event loop woke up, asked once a second.", kind="histogram"
)

log = get_logger(__name__)


async def serve_metrics(listen: str, watched: Sequence[Metrics]) -> None:
    """Answer `GET /metrics` on host:port until cancelled. Raises `AddressInUse`."""
    if why := why_not(listen):
        raise AddressInUse(f"cannot listen on {listen} ({why}): name another address with TABLING_METRICS_LISTEN")
    host, _, port = listen.rpartition(":")
    page = Page(watched)
    server = await asyncio.start_server(partial(_answer, page), host.strip("[]"), int(port), limit=16 * 1024)
    try:
        await page.watch_the_loop()
    finally:
        server.close()


class Page:
    """What can be read: all metrics of some services, and those of their process."""

    def __init__(self, watched: Sequence[Metrics]) -> None:
        self._watched = watched
        self._lag = Histogram(LAG, SECONDS)
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    async def text(self, accept: str) -> tuple[str, bytes]:
        """Content type and text, in the format that is asked for."""
        asked = await asyncio.gather(*(_asked(metrics) for metrics in self._watched))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families([*self._registry.collect(), *self._collect(asked)]))
        encode, content_type = choose_encoder(accept)
        # a thousand lines take some milliseconds, for which nobody else should have to wait
        return content_type, await asyncio.to_thread(encode, registry)

    async def watch_the_loop(self) -> None:
        """Look how late the event loop is until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_SECONDS
            await asyncio.sleep(LAG_EVERY_SECONDS)
            self._lag.observe(max(0.0, loop.time() - due))

    def _collect(self, asked: Sequence[Readings]) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for metrics, readings in zip(self._watched, asked, strict=True):
            for kept in metrics.kept:
                _add(families, kept.family, metrics.service, kept.samples())
            for family in (UP, *metrics.asked):
                found = readings.get(family, {})
                samples = (Sample("", family.labelled(values), value) for values, value in found.items())
                _add(families, family, metrics.service, samples)
        _add(families, LAG, None, self._lag.samples())
        return families.values()


class _Families(Collector):
    """Metrics that were collected already."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _add(families: dict[str, Metric], family: Family, service: str | None, samples: Iterator[Sample]) -> None:
    metric = families.get(family.name)
    if metric is None:
        name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
        metric = families[family.name] = Metric(name, family.help, family.kind)
    of_service = {} if service is None else {"service": service}
    for sample in samples:
        metric.add_sample(family.name + sample.suffix, {**of_service, **sample.labels}, sample.value)


async def _asked(metrics: Metrics) -> Readings:
    """What the dependencies say; those that do not answer are left out, and not up."""
    readings: dict[Family, Mapping[tuple[str, ...], float]] = {}
    up: dict[tuple[str, ...], float] = {}
    for dependency, source in metrics.sources.items():
        try:
            async with asyncio.timeout(ASK_SECONDS):
                readings.update(await source())
            up[(dependency,)] = 1
        except Exception as error:
            log.warning("metrics not read", dependency=dependency, error=type(error).__name__)
            up[(dependency,)] = 0
    return readings | {UP: up}


async def _answer(page: Page, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request and hang up."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            status, content_type, body = await _response(page, head.decode("latin-1"))
            length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{length}".encode() + body)
            await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # whoever hangs up, dawdles or talks no end gets no answer
    finally:
        writer.close()


async def _response(page: Page, head: str) -> tuple[str, str, bytes]:
    request, *headers = head.split("\r\n")
    method, _, rest = request.partition(" ")
    if rest.split(" ")[0].partition("?")[0] != "/metrics":
        return "404 Not Found", "text/plain", b"metrics are at /metrics\n"
    if method != "GET":
        return "405 Method Not Allowed", "text/plain", b"only GET\n"
    accept = [value for name, _, value in (header.partition(":") for header in headers) if name.lower() == "accept"]
    return "200 OK", *await page.text(",".join(accept))
