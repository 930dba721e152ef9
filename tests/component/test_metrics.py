"""What Prometheus is shown."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.chassis.addresses import free_port
from services.chassis.bus.rabbitmq import RabbitBus
from services.chassis.bus.topology import Topology
from services.chassis.consumer import Consumer
from services.chassis.figures import read_queues
from services.chassis.grpc_server import AddressInUse
from services.chassis.messages import envelope
from services.chassis.metrics import SECONDS, Family, Metrics, Readings
from services.chassis.metrics_port import serve_metrics
from services.chassis.telemetry import Telemetry
from services.chassis.testing import eventually
from services.embedded.services import BUILDS
from tabling.management.v1.management_service_pb2 import GetOrderRequest
from tests.component.counters import COUNTED, HANDLERS, counting, message
from tests.component.five import STORE, Five, five

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"
ROWS = re.compile(r"^\| `(tabling_\w+)`[ ◇]*\| ([\w, ]*?) ?\|", re.MULTILINE)

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(port: int) -> Samples:
    """Value by name and labels."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        families = text_string_to_metric_families(await answer.text())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    """One value."""
    return samples[name, frozenset(labels.items())]


@asynccontextmanager
async def shown(*watched: Metrics) -> AsyncIterator[int]:
    """The port on which these can be read."""
    port = free_port()
    serving = asyncio.create_task(serve_metrics(f"127.0.0.1:{port}", watched))

    async def answers() -> bool:
        if serving.done():
            await serving
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(answers)
    try:
        yield port
    finally:
        serving.cancel()
        await asyncio.wait([serving])


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[tuple[Five, int]]:
    """All services, and the port on which their figures can be read."""
    async with (
        five(folder) as here,
        shown(*(service.frame.telemetry.metrics for service in here.services.values())) as port,
    ):
        yield here, port


@pytest.mark.every_database
async def test_open_receptions_orders_holds_and_notices_are_counted_in_the_databases(tmp_path: Path) -> None:
    async with watched(tmp_path) as (here, port):
        await here.open_store(2)
        await here.join()
        await here.settled()
        await here.join()
        await here.settled()
        seen = await scrape(port)
        receptions = {
            state: value(seen, "tabling_receptions_open", service="reception", state=state)
            for state in ("REQUESTED", "WAITING", "CALLED", "SEATED")
        }
        assert receptions == {"REQUESTED": 0, "WAITING": 1, "CALLED": 1, "SEATED": 0}
        orders = {
            state: value(seen, "tabling_orders_open", service="management", state=state)
            for state in ("RECEIVED", "ACCEPTED", "CALLED", "SEATED")
        }
        assert orders == {"RECEIVED": 0, "ACCEPTED": 1, "CALLED": 1, "SEATED": 0}
        assert value(seen, "tabling_holds_open", service="seat") == 1
        assert value(seen, "tabling_tables", service="seat", state="HELD") == 1
        assert value(seen, "tabling_notices_open", service="notification", state="PENDING") == 0
        assert value(seen, "tabling_notices_settled_total", service="notification", state="DELIVERED", reason="") == 2
        for service in BUILDS:
            assert value(seen, "tabling_dependency_up", service=service, dependency="database") == 1
            assert value(seen, "tabling_outbox_envelopes", service=service) == 0
            assert value(seen, "tabling_dead_letters", service=service) == 0
            assert value(seen, "tabling_timers_due", service=service) == 0


async def test_calls_are_counted_by_method_and_code_and_timed(tmp_path: Path) -> None:
    async with watched(tmp_path) as (here, port):
        await here.open_store()
        await here.join()
        with pytest.raises(grpc.aio.AioRpcError):
            await here.join(party_size=-1)
        with pytest.raises(grpc.aio.AioRpcError):
            await here.staff.GetOrder(GetOrderRequest(name=f"{STORE}/orders/nobody"))
        seen = await scrape(port)
        join = {"service": "reception", "method": "tabling.reception.v1.ReceptionService/CreateReception"}
        assert value(seen, "tabling_rpc_calls_total", **join, code="OK") == 1
        assert value(seen, "tabling_rpc_calls_total", **join, code="INVALID_ARGUMENT") == 1
        assert value(seen, "tabling_rpc_seconds_count", **join) == 2
        assert value(seen, "tabling_rpc_seconds_bucket", **join, le="+Inf") == 2
        assert 0 < value(seen, "tabling_rpc_seconds_sum", **join) < 2 * SECONDS[-1]
        assert value(seen, "tabling_refusals_total", service="reception", reason="INVALID_FIELD") == 1
        assert value(seen, "tabling_refusals_total", service="management", reason="NOT_FOUND") == 1
        assert value(seen, "tabling_rpc_running", service="reception") == 0
        assert value(seen, "tabling_seat_questions_total", service="reception", code="OK") == 1


async def test_a_join_shows_in_transactions_envelopes_and_events(tmp_path: Path) -> None:
    async with watched(tmp_path) as (here, port):
        await here.open_store()
        before = await scrape(port)
        await here.join()
        await here.settled()
        after = await scrape(port)

        def more(name: str, **labels: str) -> float:
            return value(after, name, **labels) - before.get((name, frozenset(labels.items())), 0)

        assert more("tabling_transactions_total", service="reception", outcome="committed") >= 1
        assert more("tabling_transaction_work_count", service="reception") >= 1
        assert more("tabling_transaction_seconds_count", service="reception") >= 1
        assert more("tabling_envelopes_published_total", service="reception") == 1
        for service in ("seat", "management", "dashboard", "notification"):
            assert more("tabling_events_applied_total", service=service, source="reception") == 1


async def test_events_that_come_again_or_keep_failing_are_counted(tmp_path: Path) -> None:
    async with counting(tmp_path) as running:
        telemetry = Telemetry()
        consumer = Consumer("copy", HANDLERS, running.lane, attempts=2, first_delay_seconds=0, telemetry=telemetry)
        async with shown(telemetry.metrics) as port:
            now = datetime.now(UTC)
            once = envelope("counters", [message("a"), message("b")], now)
            await consumer.receive(once)
            await consumer.receive(once)
            await consumer.receive(envelope("counters", [message("poison")], now))
            seen = await scrape(port)
        assert value(seen, "tabling_events_applied_total", service="", source="counters") == 2
        assert value(seen, "tabling_events_duplicate_total", service="", source="counters") == 2
        assert value(seen, "tabling_event_attempts_failed_total", service="", reason="ValueError") == 2
        assert value(seen, "tabling_events_put_aside_total", service="", reason="ValueError") == 1


async def test_what_waits_in_the_outbox_is_told_with_its_age(tmp_path: Path) -> None:
    async with watched(tmp_path) as (here, port):
        await here.open_store()
        await here.bus.unsubscribe("dashboard")
        await here.join()

        async def waits() -> bool:
            seen = await scrape(port)
            age = value(seen, "tabling_outbox_oldest_seconds", service="reception")
            return value(seen, "tabling_outbox_envelopes", service="reception") == 1 and age > 0

        await eventually(waits)


async def test_messages_that_wait_in_queues_are_counted(fresh_vhost: Callable[[], str]) -> None:
    topology = Topology({"copy": frozenset({COUNTED})}, retry_seconds=(60,))
    bus = RabbitBus(fresh_vhost(), topology)
    metrics = Metrics("copy")
    read_queues(metrics, lambda: bus.waiting("copy"))
    await bus.publish(envelope("counters", [message("a")], datetime.now(UTC)))
    async with shown(metrics) as port:

        async def waits() -> Samples:
            seen = await scrape(port)
            assert value(seen, "tabling_queue_messages", service="copy", queue="copy") == 1
            return seen

        seen = await eventually(waits)
        assert value(seen, "tabling_dependency_up", service="copy", dependency="bus") == 1
        others = {dict(labels)["queue"] for name, labels in seen if name == "tabling_queue_messages"}
        assert others == {"copy", "copy.spare", "copy.retry.1", "copy.dead"}
    await bus.close()


async def test_a_database_that_does_not_answer_leaves_its_figures_out_and_says_so() -> None:
    metrics = Metrics("seat")
    family = Family("tabling_things", "Things.")

    async def broken() -> Readings:
        raise OSError("gone")

    metrics.ask("database", [family], broken)
    async with shown(metrics) as port:
        seen = await scrape(port)
    assert value(seen, "tabling_dependency_up", service="seat", dependency="database") == 0
    assert ("tabling_things", frozenset({("service", "seat")})) not in seen


async def test_the_process_tells_of_its_memory_and_of_its_event_loop() -> None:
    async with shown(Metrics()) as port:

        async def measured() -> bool:
            return value(await scrape(port), "tabling_event_loop_lag_seconds_count") > 0

        await eventually(measured)
        seen = await scrape(port)
        assert value(seen, "process_resident_memory_bytes") > 10e6
        assert value(seen, "process_cpu_seconds_total") > 0
        assert value(seen, "python_gc_collections_total", generation="2") >= 0


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("GET / HTTP/1.1", 404), ("POST /metrics HTTP/1.1", 405), ("GET /metrics?x=1 HTTP/1.1", 200), ("nonsense", 404)],
)
async def test_nothing_but_metrics_is_served(request_line: str, status: int) -> None:
    async with shown(Metrics()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{request_line}\r\nHost: x\r\n\r\n".encode())
        answer = await reader.read()
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        writer.close()


async def test_a_caller_that_hangs_up_harms_nobody() -> None:
    async with shown(Metrics()) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /met")
        writer.transport.abort()
        assert await scrape(port)


async def test_a_taken_port_is_told() -> None:
    async with shown(Metrics()) as port:
        with pytest.raises(AddressInUse, match=rf"cannot listen on 127.0.0.1:{port} .* TABLING_METRICS_LISTEN"):
            await serve_metrics(f"127.0.0.1:{port}", [Metrics()])


async def test_a_service_opens_its_own_port_and_closes_it_with_itself(tmp_path: Path) -> None:
    port = free_port()
    async with five(tmp_path, SEAT_METRICS_LISTEN=f"127.0.0.1:{port}"):

        async def answers() -> Any:
            return await scrape(port)

        seen = await eventually(answers)
        assert {dict(labels)["service"] for name, labels in seen if name.startswith("tabling_rpc_running")} == {"seat"}
    with pytest.raises(aiohttp.ClientConnectorError):
        await scrape(port)


async def test_the_guide_for_operators_names_exactly_what_is_shown(tmp_path: Path) -> None:
    async with watched(tmp_path) as (here, port):
        await here.open_store(2)
        await here.join()
        await here.settled()
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
            families = list(text_string_to_metric_families(await answer.text()))
    guide = {name: set(filter(None, labels.split(", "))) for name, labels in ROWS.findall(GUIDE.read_text("utf-8"))}
    seen = {family.name + "_total" * (family.type == "counter"): family for family in families}
    assert guide.keys() == {name for name in seen if name.startswith("tabling_")}
    for name, labels in guide.items():
        for sample in seen[name].samples:
            assert sample.labels.keys() - {"service", "le"} == labels, sample
