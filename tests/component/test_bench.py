"""The parts of the benchmark: what they send, and that they count what is there."""

import asyncio
import itertools
import json
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import json_format
from sqlalchemy import DateTime, Integer, Table, insert
from sqlalchemy.types import TypeEngine

from scripts.bench import http2
from scripts.bench.bulk import BulkPlan, run_bulk, run_bulk_in_process
from scripts.bench.full.rounds import HOT
from scripts.bench.full.rows import COUNTED, Ledgers
from scripts.bench.joins import JOIN_MANY, Parties
from scripts.bench.load import run_load
from scripts.bench.processes import Tree, spent
from scripts.bench.wire import literal_headers
from services.chassis.database.opening import open_database
from services.chassis.migrate import migrate
from tabling.reception.v1.reception_service_pb2 import (
    CreateReceptionRequest,
    CreateReceptionsRequest,
    CreateReceptionsResponse,
)

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
Answer = Callable[[CreateReceptionsRequest], CreateReceptionsResponse]


@asynccontextmanager
async def taking_streams(answer: Answer, *, most: int = 1_000_000, unanswered: int = 0) -> AsyncIterator[str]:
    """A server that answers `most` messages, takes some more, and ends the stream with ABORTED."""

    async def exchange(requests: Any, context: Any) -> AsyncIterator[bytes]:
        for _ in range(most):
            request = await anext(requests, None)
            if request is None:
                return
            yield answer(CreateReceptionsRequest.FromString(request)).SerializeToString()
        for _ in range(unanswered):
            await anext(requests)
        await context.abort(grpc.StatusCode.ABORTED, "enough")

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    service, method = JOIN_MANY.strip("/").split("/")
    handler: Any = grpc.stream_stream_rpc_method_handler(exchange)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {method: handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def all_but_the_first(request: CreateReceptionsRequest) -> CreateReceptionsResponse:
    response = CreateReceptionsResponse(tag=request.tag)
    response.results.add().refusal.code = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    for _ in request.requests[1:]:
        response.results.add().reception.waiting_number = 1
    return response


async def test_a_stream_run_counts_what_came_of_each_join() -> None:
    messages = list(itertools.islice(Parties().messages(("a", "b"), 7), 30))
    async with taking_streams(all_but_the_first) as target:
        plan = BulkPlan(target, streams=3, window=2, seconds=60)
        for result in (await run_bulk(plan, messages), await run_bulk_in_process(plan, messages)):
            assert result.by_status == {"OK": 180, "RESOURCE_EXHAUSTED": 30}
            assert (result.calls, result.ok) == (210, 180)
            assert result.latencies.max > 0


async def test_joins_that_a_broken_stream_did_not_answer_are_counted_too() -> None:
    messages = list(itertools.islice(Parties().messages(("a",), 5), 30))
    window = 2
    # a whole window is sent only after the last answer was read
    async with taking_streams(all_but_the_first, most=3, unanswered=window) as target:
        result = await run_bulk(BulkPlan(target, streams=1, window=window, seconds=60), messages)
    assert result.ok == 3 * 4
    assert result.calls == (3 + window) * 5


async def test_no_party_comes_twice_and_all_forms_say_the_same() -> None:
    parties = Parties()
    some = [CreateReceptionRequest.FromString(body) for body in itertools.islice(parties.grpc(("a", "b")), 9000)]
    assert len({each.reception.phone for each in some}) == len({each.request_id for each in some}) == 9000
    assert parties.next == 9000
    as_json = json_format.Parse(next(parties.json(("a",))), CreateReceptionRequest())
    assert as_json.reception.phone not in {each.reception.phone for each in some}
    assert (as_json.parent, as_json.reception.party_size) == ("stores/a", 1)
    size, message = next(parties.messages(("a",), 3))
    assert (size, len(CreateReceptionsRequest.FromString(message).requests)) == (3, 3)


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [("200", {"name": "x"}, "OK"), ("429", {"code": 8}, "RESOURCE_EXHAUSTED"), ("503", None, "UNAVAILABLE")],
)
async def test_json_calls_are_counted_by_the_status_in_their_answer(status: str, body: Any, wanted: str) -> None:
    answers: list[tuple[int, bytes]] = []
    said = b"oops" if body is None else json.dumps(body).encode()
    async with answering(status, said) as target:
        result = await run_load(
            target,
            "/recepts",
            [b'{"a":1}'] * 3,
            callers=1,
            connections=1,
            calls=3,
            seconds=None,
            on_answer=lambda status, message: answers.append((status, message)),
            wire="json",
        )
    assert result.by_status == {wanted: 3}
    assert {message for _, message in answers} == {said if wanted == "OK" else b""}


@asynccontextmanager
async def answering(status: str, body: bytes) -> AsyncIterator[str]:
    """A peer that answers every request with this."""
    block = b"\x20" + literal_headers([(":status", status), ("content-type", "application/json")])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http2.frame(http2.SETTINGS, 0, 0))
        try:
            await reader.readexactly(len(http2.PREFACE))
            while True:
                head = await reader.readexactly(9)
                sent = await reader.readexactly(int.from_bytes(head[:3], "big"))
                if head[3] == http2.DATA:
                    assert sent == b'{"a":1}'
                    (stream,) = struct.unpack(">I", head[5:])
                    writer.write(http2.frame(http2.HEADERS, http2.END_HEADERS, stream, block))
                    writer.write(http2.frame(http2.DATA, http2.END_STREAM, stream, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_a_tree_of_processes_is_known_by_what_its_members_are() -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'http.server', '0'])"
    with subprocess.Popen(
        [sys.executable, "-c", child], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as parent:
        tree = Tree(parent.pid)
        try:
            before = tree.cpu_seconds()
            while "http.server" not in (found := dict(tree.processes())):
                pass
            assert found["http.server"].ppid() == found["other"].pid == parent.pid
            assert tree.memory_mb()["other"] > 1
            assert min(spent(before, tree.cpu_seconds()).values()) >= 0
        finally:
            for _, each in reversed(list(tree.processes())):
                each.kill()


@pytest.fixture
def addresses(tmp_path: Path) -> dict[str, str]:
    """Empty databases of all services."""
    found = {service: f"sqlite:///{tmp_path / service}.db" for service in COUNTED}
    for service, address in found.items():
        migrate(service, address)
    return found


async def put(address: str, table: Table, *rows: dict[str, Any]) -> None:
    """Write rows of which only some columns matter."""
    database = open_database(address)
    full = [{c.name: nothing(c.type) for c in table.c if not c.nullable} | row for row in rows]
    await database.write(lambda connection: connection.execute(insert(table), full))
    await database.close()


def nothing(kind: TypeEngine[Any]) -> Any:
    if isinstance(getattr(kind, "impl", kind), DateTime):
        return NOW
    return 0 if isinstance(kind, Integer) or kind.python_type in (int, bool, float) else ""


def joined(number: int, **facts: Any) -> dict[str, Any]:
    at = NOW + timedelta(seconds=number)
    return {
        "id": f"r{number}",
        "store_id": HOT,
        "customer_key": f"p:{number}",
        "order_key": number,
        "waiting_number": number,
        "state": "WAITING",
        "created_at": at,
    } | facts


@asynccontextmanager
async def looking(addresses: dict[str, str]) -> AsyncIterator[Ledgers]:
    ledgers = Ledgers(addresses)
    try:
        yield ledgers
    finally:
        await ledgers.close()


async def test_a_saga_counts_when_every_database_has_its_rows(addresses: dict[str, str]) -> None:
    async with looking(addresses) as ledgers:
        before = await ledgers.counts()
        for service, table in COUNTED.items():
            ids = [{"id": f"r{n}", "reception_id": f"r{n}", "state": "SENT"} for n in range(3)]
            rows = [{name: value for name, value in row.items() if name in table.c} for row in ids]
            await put(addresses[service], table, *rows[: 2 if service == "seat" else 3])
        await put(addresses["notification"], COUNTED["notification"], {"id": "x", "reception_id": "r9"})
        counts = (await ledgers.counts()).since(before)
        assert counts.by_service == dict.fromkeys(COUNTED, 3) | {"seat": 2}
        assert counts.complete == 2
        await ledgers.drained(before, 2, NOW)


async def test_parties_in_line_twice_notices_sent_twice_and_wrong_numbers_are_found(addresses: dict[str, str]) -> None:
    receptions, notices = COUNTED["reception"], COUNTED["notification"]
    await put(addresses["reception"], receptions, *(joined(number) for number in range(1, 6)))
    late = joined(0, promised=True, waiting_number=6)
    await put(addresses["reception"], receptions, late, joined(1, id="elsewhere", store_id="b", customer_key="p:twice"))
    async with looking(addresses) as ledgers:
        fine = await ledgers.faults(NOW, HOT)
        assert (fine.twice_in_line, fine.twice_told, fine.out_of_order) == (0, 0, 0)
        assert await ledgers.waiting() == 7
        await put(addresses["reception"], receptions, joined(8, customer_key="p:twice"), joined(9, waiting_number=7))
        await put(addresses["notification"], notices, *({"id": name, "reception_id": "r1"} for name in "ab"))
        found = await ledgers.faults(NOW, HOT)
        # 8 before 7 in line
        assert (found.twice_in_line, found.twice_told, found.out_of_order) == (1, 1, 1)
