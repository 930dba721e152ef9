"""Traces: the way of a call, as a collector sees it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.chassis.addresses import free_port
from services.chassis.consumer import Consumer
from services.chassis.messages import envelope
from services.chassis.telemetry import Telemetry
from services.chassis.testing import eventually
from services.chassis.tracing import EXPORT_SECONDS, Tracer, cause
from tests.component.collector import Span, collecting
from tests.component.counters import HANDLERS, add_to, counting, message
from tests.component.five import Five, five
from tests.entitled import ENVIRONMENT

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def brought(flags: str = "01") -> str:
    """The traceparent that a caller brings."""
    return f"00-{TRACE}-{CALLER}-{flags}"


def told(spans: Iterable[Span]) -> set[tuple[str, str, str]]:
    """What happened where."""
    return {(span.service, span.kind, span.name) for span in spans}


EXPECTED = {
    ("reception", "SERVER", "tabling.reception.v1.ReceptionService/CreateReception"),
    ("reception", "CLIENT", "CheckSeats"),
    ("seat", "SERVER", "tabling.seat.v1.SeatService/CheckSeats"),
    ("reception", "INTERNAL", "transaction"),
    ("reception", "PRODUCER", "publish"),
    ("seat", "CONSUMER", "apply reception.reception.added.v1"),
    ("management", "CONSUMER", "apply reception.reception.added.v1"),
    ("dashboard", "CONSUMER", "apply reception.reception.added.v1"),
    ("notification", "CONSUMER", "apply reception.reception.added.v1"),
    ("seat", "PRODUCER", "publish"),
    ("management", "PRODUCER", "publish"),
    ("reception", "CONSUMER", "apply seat.seating.added.v1"),
    ("dashboard", "CONSUMER", "apply management.order.accepted.v1"),
    ("notification", "CONSUMER", "apply reception.reception.called.v1"),
    ("notification", "CLIENT", "send notice"),
    ("reception", "SERVER", "tabling.reception.v1.ContactService/BatchGetContacts"),
}


async def joined(here: Five, traceparent: str) -> str:
    """The id of a party that was called at once, with everything that comes of it."""
    await here.open_store(2)
    # with a broker between them, services hear of the store one after the other
    metadata = (("traceparent", traceparent),) if traceparent else ()
    reception = await eventually(lambda: here.join(metadata=metadata))
    await here.settled()
    id_: str = reception.name.rpartition("/")[2]
    return id_


@pytest.mark.parametrize("bus", ["memory", "rabbitmq"])
async def test_one_join_is_one_trace_through_all_services(
    tmp_path: Path, bus: str, request: pytest.FixtureRequest
) -> None:
    address = "memory" if bus == "memory" else request.getfixturevalue("fresh_vhost")()
    async with collecting() as collector, five(tmp_path, TRACES=collector.endpoint, BUS=address) as here:
        saga = await joined(here, brought())

        def whole() -> dict[str, Span]:
            spans = collector.of_trace(TRACE)
            assert told(spans.values()) >= EXPECTED, EXPECTED - told(spans.values())
            assert all(span.parent in spans for span in spans.values() if span.parent != CALLER)
            return spans

        spans = await eventually(whole)
    joins = [span for span in spans.values() if span.parent == CALLER]
    assert {span.name for span in joins} == {"tabling.reception.v1.ReceptionService/CreateReception"}
    join = joins[-1]
    assert join.attributes["rpc.response.status_code"] == "OK"
    assert join.attributes["tabling.correlation_id"] == saga
    assert {span.error for span in spans.values()} == {""}
    assert not [span for span in spans.values() if any("8210" in str(v) for v in span.attributes.values())]


async def test_what_one_event_brings_about_hangs_under_it(tmp_path: Path) -> None:
    async with collecting() as collector, five(tmp_path, TRACES=collector.endpoint) as here:
        await joined(here, brought())
        await eventually(lambda: told(collector.of_trace(TRACE).values()) >= EXPECTED)
        spans = collector.of_trace(TRACE)
        (called,) = [s for s in spans.values() if s.service == "reception" and s.name == "apply seat.seating.added.v1"]
        held = spans[called.parent]
        assert (held.service, held.name) == ("seat", "apply reception.reception.added.v1")
        joining = spans[held.parent]
        assert (joining.service, joining.name) == ("reception", "transaction")
        assert joining.attributes["tabling.transaction_work"] == 1


async def test_only_the_wanted_share_of_calls_begins_a_trace_and_the_caller_decides_for_its_own(tmp_path: Path) -> None:
    async with collecting() as collector:
        async with five(tmp_path, TRACES=collector.endpoint, TRACES_SHARE="0") as here:
            await joined(here, "")
            await here.join(metadata=(("traceparent", brought("00")),))
            await here.join(metadata=(("traceparent", "nonsense"),))
            await here.join(metadata=(("traceparent", brought()),))
            await here.settled()
        # services that end send what is left
        assert {span.trace for span in collector.spans} == {TRACE}


async def test_without_a_caller_s_trace_a_call_begins_its_own(tmp_path: Path) -> None:
    async with collecting() as collector, five(tmp_path, TRACES=collector.endpoint) as here:
        await joined(here, "")
        seen = await eventually(lambda: [s for s in collector.spans if s.name.endswith("/CreateReception")])
        assert (seen[0].parent, len(seen[0].trace)) == ("", 32)


@pytest.mark.parametrize("nonsense", ["", "00", brought()[:-1], brought().upper(), f"00-{'0' * 32}-{CALLER}-01"])
async def test_a_trace_that_cannot_be_read_is_none(nonsense: str) -> None:
    tracer = Tracer("seat", f"http://127.0.0.1:{free_port()}", 0.0)
    assert tracer.begin("x", "SERVER", nonsense) is None
    await tracer.close()


async def test_members_of_one_transaction_keep_their_own_traces(tmp_path: Path) -> None:
    async with collecting() as collector:
        tracer = Tracer("counters", collector.endpoint, 1.0)
        async with counting(tmp_path, telemetry=Telemetry(tracer=tracer)) as running:
            traces = []

            async def add(counter: str) -> None:
                span = tracer.begin("call", "SERVER")
                assert span
                cause.set(span.traceparent)
                traces.append(span.traceparent[3:35])
                await running.lane.run(lambda uow: add_to(counter, uow))
                span.end()

            await asyncio.gather(add("a"), add("b"))
            (told_of,) = [uow.outbox.written for uow in running.committed if uow.outbox.written]
            assert [event.traceparent[3:35] for event in told_of[0].events] == traces
        await tracer.close()
        works = [span for span in collector.spans if span.name == "transaction"]
        assert {span.trace for span in works} == set(traces)
        assert [span.attributes["tabling.transaction_work"] for span in works] == [2, 2]


async def test_an_event_that_fails_shows_as_an_error(tmp_path: Path) -> None:
    async with collecting() as collector:
        tracer = Tracer("copy", collector.endpoint, 1.0)
        async with counting(tmp_path) as running:
            consumer = Consumer(
                "copy", HANDLERS, running.lane, attempts=1, first_delay_seconds=0, telemetry=Telemetry(tracer=tracer)
            )
            poison = replace(message("poison"), traceparent=brought())
            await consumer.receive(envelope("counters", [poison], datetime.now(UTC)))
        await tracer.close()
        assert [(span.trace, span.parent, span.error) for span in collector.spans] == [(TRACE, CALLER, "ValueError")]


async def test_a_collector_that_is_away_holds_up_nobody(tmp_path: Path) -> None:
    async with five(tmp_path, TRACES=f"http://127.0.0.1:{free_port()}") as here:
        await joined(here, brought())
        ends = time.monotonic()
    # what is left is not tried for as long as it may take, by one of the five after the other
    assert time.monotonic() - ends < 4 * EXPORT_SECONDS


OFF = """
import os
import sys
import services.embedded.services
from services.chassis.settings import from_environment
from services.chassis.telemetry import Telemetry
telemetry = Telemetry.of(from_environment("seat", os.environ))
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry", "prometheus_client"))))
"""


def test_what_is_off_is_not_even_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF],
        capture_output=True,
        env={"PYTHONPATH": ":".join(sys.path), **ENVIRONMENT},
        timeout=60,
        check=True,
        text=True,
    )
    assert done.stdout == "[]\n"
