"""How much may be asked of the gateway, how long it waits, and that it refuses before it breaks."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from services.local.gateway import OTHER_FILES
from services.local.gateway_settings import Limits
from tests.e2e.gateway import Asked, eventually, gateway_before_an_upstream, raw
from tests.parent import parent_that_tells

pytestmark = pytest.mark.e2e

JOIN = "/v1/stores/s1/receptions"
STORES = "/v1/stores"
IN_A_HURRY = Limits(headers_seconds=0.3, connection_idle_seconds=0.5, idle_seconds=0.5)
LITTLE_MEMORY = 40 * 1024 * 1024
"""Three times what Envoy takes for itself."""
FEW = 40
FEW_FILES = """
import asyncio, pathlib, resource, sys
from services.local.gateway import Gateway
from tests.e2e.gateway import settings_for
async def main():
    folder, most = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir()
    resource.setrlimit(resource.RLIMIT_NOFILE, (most // 2, most))
    async with Gateway(settings_for(9), folder) as gateway:
        print(gateway.port, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
HEAD = b"GET /v1/stores/s1 HTTP/1.1\r\nhost: a\r\n"


@pytest.fixture
def most_joins() -> Limits:
    """Some joins at once, and then two each second."""
    return Limits(per_store=2)


async def joins(asked: Asked, path: str, times: int = 40) -> Counter[int]:
    return Counter([(await asked.ask("POST", path, data="{}")).status for _ in range(times)])


async def test_more_joins_to_one_store_than_it_is_good_for_are_told_to_wait(tmp_path: Path, most_joins: Limits) -> None:
    async with gateway_before_an_upstream(tmp_path, limits=most_joins) as asked:
        counted = await joins(asked, JOIN)
        assert counted[200] >= 4
        assert counted[429] >= 1
        answers = [await asked.ask("POST", JOIN, data="{}") for _ in range(40)]
        [refused, *_] = [answer for answer in answers if answer.status == 429]
        info, retry = refused.json["details"]
        assert (refused.json["code"], info["reason"]) == (8, "TOO_MANY_REQUESTS")
        assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
        assert await joins(asked, "/v1/stores/s2/receptions", 4) == {200: 4}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/stores/%731/receptions",
        "//v1/stores//s1/receptions",
        "/v1/stores/./s1/receptions",
        f"{JOIN}/",
        f"{JOIN}?requestId=a",
        "/v1/stores/s2/../s1/receptions",
    ],
)
async def test_other_spellings_of_a_store_are_the_same_store(tmp_path: Path, most_joins: Limits, path: str) -> None:
    async with gateway_before_an_upstream(tmp_path, limits=most_joins) as asked:
        await joins(asked, JOIN)
        assert (await joins(asked, path))[429] >= 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", JOIN),
        ("POST", f"{JOIN}/r1:cancel"),
        ("POST", f"{STORES}/s1:open"),
        ("POST", f"{STORES}/s1/orders:callNext"),
    ],
)
async def test_what_is_no_join_does_not_count_as_one(
    tmp_path: Path, most_joins: Limits, method: str, path: str
) -> None:
    async with gateway_before_an_upstream(tmp_path, limits=most_joins) as asked:
        await joins(asked, JOIN)
        for _ in range(10):
            assert (await asked.ask(method, path, data="{}" if method == "POST" else None)).status == 200


async def test_who_is_nobody_is_counted_by_address(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path, limits=Limits(per_address=2)) as asked:
        answers = Counter([(await asked.get(f"{STORES}/s{number}")).status for number in range(60)])
        assert answers[200] >= 10
        assert answers[429] >= 1


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD, id="half of the headers"),
        pytest.param(HEAD + b"\r\n", id="nothing more after an answer"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", id="no more HTTP/2"),
    ],
)
async def test_a_connection_that_says_no_more_is_closed(tmp_path: Path, begun: bytes) -> None:
    async with gateway_before_an_upstream(tmp_path, limits=IN_A_HURRY) as asked:
        reader, writer = await asyncio.open_connection("127.0.0.1", asked.gateway.port)
        writer.write(begun)
        async with asyncio.timeout(20):
            await reader.read()
            assert reader.at_eof()
        writer.close()


async def test_headers_that_come_a_byte_at_a_time_are_given_up(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path, limits=IN_A_HURRY) as asked:
        reader, writer = await asyncio.open_connection("127.0.0.1", asked.gateway.port)
        writer.write(HEAD + b"x-a: ")
        heard = asyncio.create_task(reader.read())
        async with asyncio.timeout(20):
            while not heard.done():
                writer.write(b"a")
                await asyncio.sleep(0.02)
        # whoever goes on speaking may not hear the end of the answer
        with suppress(ConnectionResetError):
            assert (await heard).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_gateway_short_of_memory_refuses_until_it_has_enough_again(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path, limits=Limits(heap_bytes=LITTLE_MEMORY)) as asked:
        assert (await asked.get(f"{STORES}/s1")).status == 200
        reader, writer = await asyncio.open_connection("127.0.0.1", asked.gateway.port)
        async with AsyncExitStack() as hogs:
            while not await figure(asked, "overload.envoy.overload_actions.stop_accepting_requests.active"):
                for _ in range(50):
                    await hogs.enter_async_context(hog(asked.gateway.port))
            writer.write(HEAD + b"\r\n")
            async with asyncio.timeout(20):
                heard = await reader.read()
            assert heard.startswith(b"HTTP/1.1 503 ")
            assert b"connection: close" in heard
            assert b'"OVERLOADED"' in heard

        async def status() -> int:
            try:
                return (await asked.get(f"{STORES}/s1")).status
            except aiohttp.ClientError:
                return 0

        await eventually(status, lambda status: status == 200)
        writer.close()


async def test_a_gateway_that_may_open_few_files_refuses_connections_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    async with parent_that_tells(FEW_FILES, str(folder), str(OTHER_FILES + FEW)) as port:
        async with AsyncExitStack() as hogs:
            for _ in range(FEW):
                await hogs.enter_async_context(hog(port))
            assert await closed_at_once(port)
        await eventually(lambda: closed_at_once(port), lambda closed: not closed)


@asynccontextmanager
async def hog(port: int) -> AsyncIterator[None]:
    """A connection that takes room: its headers never end."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        yield
        return
    writer.write(HEAD + b"x-a: " + b"a" * 7000)
    yield
    writer.transport.abort()


async def closed_at_once(port: int) -> bool:
    """Whether a new connection gets no answer."""
    try:
        return not await raw(port, HEAD + b"connection: close\r\n\r\n")
    except ConnectionError:
        return True


async def figure(asked: Asked, name: str) -> int:
    """One of Envoy's own figures."""
    async with asked.http.get(f"{asked.gateway.admin_url}/stats?filter=^{name}$") as answer:
        return int((await answer.text()).rpartition(": ")[2])
