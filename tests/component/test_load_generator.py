"""The load generator against real servers: what it counts is what was answered."""

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from scripts.bench import http2
from scripts.bench.load import LoadResult, run_load, run_load_in_process
from scripts.bench.wire import literal_headers

Answer = Callable[[bytes, grpc.aio.ServicerContext[bytes, bytes]], Awaitable[bytes]]
METHOD = "/test.Service/Call"


@asynccontextmanager
async def serving(answer: Answer, *options: tuple[str, int], most: int | None = None) -> AsyncIterator[str]:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0), *options), maximum_concurrent_rpcs=most)
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", {"Call": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def scripted(*frames: bytes) -> AsyncIterator[str]:
    """A peer that speaks just enough HTTP/2 to answer each connection's first call with the given frames."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http2.frame(http2.SETTINGS, 0, 0))
        await reader.readexactly(len(http2.PREFACE))
        while True:
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == http2.DATA:
                writer.write(b"".join(frames))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def echo(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return request


async def load(target: str, bodies: list[bytes], callers: int = 8, connections: int = 2) -> LoadResult:
    return await run_load(target, METHOD, bodies, callers=callers, connections=connections, calls=None, seconds=None)


async def only_call(*frames: bytes, timeout: float = 5.0) -> LoadResult:  # noqa: ASYNC109 - handed on
    async with scripted(*frames) as target:
        return await run_load(target, METHOD, [b""], callers=1, connections=1, calls=1, seconds=None, timeout=timeout)


async def test_each_body_is_sent_once_and_each_answer_is_handed_over() -> None:
    bodies = [f"body {number}".encode() for number in range(500)]
    answers: list[tuple[int, bytes]] = []
    async with serving(echo) as target:
        result = await run_load(
            target,
            METHOD,
            bodies,
            callers=40,
            connections=3,
            calls=None,
            seconds=None,
            on_answer=lambda status, message: answers.append((status, message)),
        )
    assert result.by_status == {"OK": 500}
    assert (result.calls, result.ok) == (500, 500)
    assert sorted(answers) == sorted((0, body) for body in bodies)
    assert 0 < result.latencies.p50 <= result.latencies.p90 <= result.latencies.p99 <= result.latencies.max
    assert result.rate == pytest.approx(500 / result.seconds)
    assert result.cpu_us_per_call > 0


async def test_metadata_goes_with_each_call() -> None:
    seen: list[object] = []

    async def look(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        seen.append(dict(context.invocation_metadata() or ()).get("authorization"))
        return b""

    token = "Bearer " + "t" * 500
    async with serving(look) as target:
        await run_load(
            target,
            METHOD,
            [b""] * 3,
            callers=1,
            connections=1,
            calls=None,
            seconds=None,
            metadata=[("authorization", token)],
        )
    assert seen == [token] * 3


async def test_a_refused_call_is_counted_by_its_status_though_http_says_200() -> None:
    async def refuse(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        if request:
            await context.abort(grpc.StatusCode[request.decode()], "because")
        return b""

    bodies = [b"", b"NOT_FOUND", b"ABORTED", b"NOT_FOUND", b"RESOURCE_EXHAUSTED", b"UNAUTHENTICATED"]
    async with serving(refuse) as target:
        result = await load(target, bodies * 10)
    assert result.by_status == {
        "OK": 10,
        "NOT_FOUND": 20,
        "ABORTED": 10,
        "RESOURCE_EXHAUSTED": 10,
        "UNAUTHENTICATED": 10,
    }
    assert (result.calls, result.ok) == (60, 10)


async def test_an_unknown_method_and_a_crashing_one_are_counted() -> None:
    async def crash(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        raise ZeroDivisionError

    async with serving(crash) as target:
        crashed = await load(target, [b""] * 5)
        unknown = await run_load(
            target, "/test.Service/None", [b""] * 5, callers=2, connections=1, calls=None, seconds=None
        )
    assert crashed.by_status == {"UNKNOWN": 5}
    assert unknown.by_status == {"UNIMPLEMENTED": 5}


async def test_calls_above_the_servers_limit_are_counted_as_exhausted() -> None:
    everyone_is_here = asyncio.Event()

    async def wait(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await everyone_is_here.wait()
        return b""

    exhausted = 0

    def count(status: int, message: bytes) -> None:
        nonlocal exhausted
        exhausted += status == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        if exhausted == 20:
            everyone_is_here.set()

    async with serving(wait, most=4) as target:
        result = await run_load(
            target, METHOD, [b""] * 24, callers=24, connections=2, calls=None, seconds=None, on_answer=count
        )
    assert result.by_status == {"OK": 4, "RESOURCE_EXHAUSTED": 20}


async def test_bodies_larger_than_every_window_arrive_whole() -> None:
    bodies = [bytes([number]) * 3_000_000 for number in range(6)]
    answers: list[bytes] = []
    async with serving(echo) as target:
        result = await run_load(
            target,
            METHOD,
            bodies,
            callers=3,
            connections=1,
            calls=None,
            seconds=None,
            on_answer=lambda status, message: answers.append(message),
        )
    assert result.by_status == {"OK": 6}
    assert sorted(answers) == bodies


async def test_no_more_calls_are_under_way_than_the_server_allows() -> None:
    under_way = most = 0

    async def count(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return b""

    async with serving(count, ("grpc.max_concurrent_streams", 5)) as target:
        result = await load(target, [b""] * 200, callers=50, connections=1)
    assert result.calls == 200
    assert set(result.by_status) <= {"OK", "UNAVAILABLE"}  # gRPC counts a call until after its answer is out.
    assert most <= 5


async def test_a_server_that_sends_connections_away_loses_no_call() -> None:
    async with serving(echo, ("grpc.max_connection_age_ms", 100)) as target:
        result = await run_load(
            target, METHOD, itertools.repeat(b""), callers=4, connections=2, calls=None, seconds=1.0
        )
    assert set(result.by_status) == {"OK"}
    assert result.calls > 100


async def test_calls_cut_off_by_a_stopping_server_are_unavailable() -> None:
    async def hang(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        all_here.set()
        await asyncio.sleep(60)
        return b""

    all_here = asyncio.Event()
    async with serving(hang) as target:
        run = asyncio.create_task(run_load(target, METHOD, [b""] * 4, callers=4, connections=1, calls=4, seconds=None))
        await all_here.wait()
    result = await run
    assert result.calls == 4
    assert set(result.by_status) <= {"UNAVAILABLE", "CANCELLED", "INTERNAL"}


async def test_a_call_never_answered_is_given_up() -> None:
    result = await only_call(timeout=0.2)
    assert result.by_status == {"DEADLINE_EXCEEDED": 1}


@pytest.mark.parametrize(
    ("error", "status"), [(7, "UNAVAILABLE"), (8, "CANCELLED"), (11, "RESOURCE_EXHAUSTED"), (2, "INTERNAL")]
)
async def test_a_reset_call_is_counted_by_its_reason(error: int, status: str) -> None:
    result = await only_call(http2.frame(http2.RST_STREAM, 0, 1, struct.pack(">I", error)))
    assert result.by_status == {status: 1}


async def test_an_answer_without_a_grpc_status_is_no_success() -> None:
    ok = literal_headers([(":status", "200")])
    result = await only_call(
        http2.frame(http2.HEADERS, http2.END_HEADERS, 1, b"\x20" + ok),
        http2.frame(http2.DATA, http2.END_STREAM, 1, b"\x00\x00\x00\x00\x00"),
    )
    assert result.by_status == {"UNKNOWN": 1}


async def test_a_status_ok_without_its_message_is_no_success() -> None:
    ok = literal_headers([(":status", "200"), ("grpc-status", "0")])
    end = http2.END_HEADERS | http2.END_STREAM
    result = await only_call(http2.frame(http2.HEADERS, end, 1, b"\x20" + ok))
    assert result.by_status == {"INTERNAL": 1}


async def test_a_gateways_own_error_is_read_from_http() -> None:
    busy = literal_headers([(":status", "503")])
    end = http2.END_HEADERS | http2.END_STREAM
    result = await only_call(http2.frame(http2.HEADERS, end, 1, b"\x20" + busy))
    assert result.by_status == {"UNAVAILABLE": 1}


async def test_headers_in_several_padded_frames_are_read_as_one() -> None:
    fields = b"\x20" + literal_headers([(":status", "200"), ("grpc-status", "5")])
    padded = b"\x03" + fields[:7] + b"\0\0\0"
    result = await only_call(
        http2.frame(http2.HEADERS, http2.PADDED | http2.END_STREAM, 1, padded),
        http2.frame(http2.CONTINUATION, 0, 1, fields[7:20]),
        http2.frame(http2.CONTINUATION, http2.END_HEADERS, 1, fields[20:]),
    )
    assert result.by_status == {"NOT_FOUND": 1}


async def test_at_a_given_rate_calls_start_when_they_are_due() -> None:
    async with serving(echo) as target:
        result = await run_load(
            target, METHOD, itertools.repeat(b""), callers=64, connections=2, calls=200, seconds=None, rate=200
        )
    assert result.by_status == {"OK": 200}
    assert result.seconds > 0.9


async def test_waiting_for_a_free_caller_counts_as_latency() -> None:
    async def slow(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await asyncio.sleep(0.05)
        return b""

    async with serving(slow) as target:
        result = await run_load(
            target, METHOD, itertools.repeat(b""), callers=1, connections=1, calls=10, seconds=None, rate=1_000
        )
    assert result.latencies.max > 400


async def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await load("127.0.0.1:1", [b""])


async def test_a_process_of_its_own_counts_the_same() -> None:
    async def odd(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        if request.endswith(b"7"):
            await context.abort(grpc.StatusCode.ABORTED, "seven")
        return request

    answers: list[tuple[int, bytes]] = []
    async with serving(odd) as target:
        result = await run_load_in_process(
            target,
            METHOD,
            (str(number).encode() for number in itertools.count()),
            callers=10,
            connections=2,
            calls=100,
            seconds=None,
            on_answer=lambda status, message: answers.append((status, message)),
        )
    assert result.by_status == {"OK": 90, "ABORTED": 10}
    assert {message for status, message in answers if status == 0} == {
        str(number).encode() for number in range(100) if number % 10 != 7
    }


async def test_a_process_of_its_own_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"127\.0\.0\.1:1: "):
        await run_load_in_process("127.0.0.1:1", METHOD, [b""], callers=1, connections=1, calls=1, seconds=None)
