"""The gateway as a process: how it starts, stops, and lives through the death of others."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.local.child import ChildFailed
from services.local.gateway import Gateway
from services.local.gateway_settings import Limits
from tests.e2e.gateway import (
    Answer,
    Asked,
    eventually,
    gateway_before_an_upstream,
    quiet_port,
    session,
    settings_for,
)
from tests.e2e.upstream import Upstream
from tests.parent import parent_that_tells

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
RECEPTION = "/v1/stores/s1/receptions/r1"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_port_in_use_is_named_in_the_error(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(ChildFailed) as raised:
        async with Gateway(settings_for(9, listen_port=taken_port), tmp_path):
            pass
    assert f"127.0.0.1:{taken_port} is taken: stop what listens there, or choose another port" in str(raised.value)
    assert "Address already in use" in str(raised.value)


async def test_two_gateways_never_share_a_port(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path / "first") as asked:
        with pytest.raises(ChildFailed):
            async with Gateway(settings_for(9, listen_port=asked.gateway.port), tmp_path / "second"):
                pass
        assert (await asked.get(RECEPTION)).status == 200


async def test_a_wrong_configuration_is_told_with_where_to_look(tmp_path: Path) -> None:
    wrong = Limits(body_bytes=-1)
    with pytest.raises(ChildFailed, match=r"gateway\.yaml") as raised:
        async with Gateway(settings_for(9, limits=wrong), tmp_path):
            pass
    assert str(tmp_path / "envoy.log") in str(raised.value)


def test_a_missing_upstream_is_named() -> None:
    with pytest.raises(ValueError, match="no upstream for management, notification"):
        settings_for(9, upstreams={"reception": "a:1", "seat": "a:2", "dashboard": "a:3"})


async def test_it_ends_with_its_block(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path) as asked:
        pid = asked.gateway.pid
        assert pid is not None
    assert not alive(pid)
    assert asked.gateway.pid is None


async def test_its_end_is_noticed(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path) as asked:
        assert asked.gateway.pid
        os.kill(asked.gateway.pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            assert await asked.gateway.wait() == -signal.SIGKILL


async def test_it_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from services.local.gateway import Gateway\n"
        "from tests.e2e.gateway import settings_for\n"
        "async def main():\n"
        "    async with Gateway(settings_for(9), pathlib.Path(sys.argv[1])) as gateway:\n"
        "        print(gateway.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    async with parent_that_tells(script, str(tmp_path)) as pid:
        assert alive(pid)

    async def envoy_alive() -> bool:
        return alive(pid)

    await eventually(envoy_alive, lambda it: not it, seconds=20)


async def test_a_dead_service_is_unavailable_and_comes_back_by_itself(tmp_path: Path) -> None:
    port = quiet_port()
    async with Upstream(port) as first, session() as http, Gateway(settings_for(port), tmp_path) as gateway:
        asked = Asked(gateway, first, http)
        assert (await asked.get(RECEPTION)).status == 200
        await first.__aexit__()

        async def answer() -> Answer:
            return await asked.get(RECEPTION)

        async def health() -> Answer:
            return await asked.get("/healthz")

        down = await answer()
        assert down.status == 503
        assert down.reason == "gateway.tabling SERVICE_UNAVAILABLE 14"
        unhealthy = await eventually(health, lambda it: it.status == 503)
        assert unhealthy.reason == "gateway.tabling SERVICE_UNAVAILABLE 14"
        async with Upstream(port):
            await eventually(answer, lambda it: it.status == 200)
            await eventually(health, lambda it: it.status == 200)


async def test_a_service_that_says_it_does_not_serve_is_asked_no_more(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path) as asked:

        async def seats() -> int:
            return (await asked.get("/v1/stores/s1/availability")).status

        assert await seats() == 200
        await asked.upstream.say("tabling.seat.v1.SeatService", serving=False)
        await eventually(seats, lambda status: status == 503)
        assert (await asked.get(RECEPTION)).status == 200
        await asked.upstream.say("tabling.seat.v1.SeatService", serving=True)
        await eventually(seats, lambda status: status == 200)


async def test_it_starts_before_its_services_do(tmp_path: Path) -> None:
    async with (
        session() as http,
        Gateway(settings_for(1), tmp_path) as gateway,
        http.get(f"{gateway.url}/healthz") as answer,
    ):
        assert answer.status == 503


async def test_reads_are_tried_again_and_writes_are_not(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path) as asked:
        calls = asked.upstream.calls
        assert (await asked.get("/v1/stores/s1/receptions/failing")).status == 503
        assert [call.method for call in calls] == ["GetReception"] * 3
        calls.clear()
        assert (await asked.ask("POST", "/v1/stores/s1/receptions/failing:cancel", data="{}")).status == 503
        assert [call.method for call in calls] == ["CancelReception"]


async def test_more_requests_than_allowed_at_once_are_told_to_wait(tmp_path: Path) -> None:
    limits = Limits(requests_per_upstream=1, unary_seconds=2)
    async with gateway_before_an_upstream(tmp_path, limits=limits) as asked, asyncio.TaskGroup() as group:
        first = group.create_task(asked.get("/v1/stores/s1/receptions/slow"))

        async def called() -> int:
            return len(asked.upstream.calls)

        await eventually(called, lambda count: count == 1)
        answer = await asked.ask("POST", "/v1/stores/s1/receptions", data="{}")
        assert answer.status == 503
        assert answer.reason == "gateway.tabling OVERLOADED 14"
        assert (await first).status == 504


async def test_the_admin_door_is_on_this_machine_only(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path, listen_host="0.0.0.0") as asked:
        table = Path("/proc/net/tcp").read_text().splitlines()[1:]
        listening = {row.split()[1] for row in table if row.split()[3] == "0A"}
        assert f"00000000:{asked.gateway.port:04X}" in listening
        assert f"0100007F:{asked.gateway.admin_port:04X}" in listening
        assert f"00000000:{asked.gateway.admin_port:04X}" not in listening
