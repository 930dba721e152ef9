"""A gateway that leaves a cluster: it says so, finishes what was begun, and only then may be told to end."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.chassis.addresses import free_port
from services.local.gateway_drain import active, asking, drain
from services.local.gateway_settings import Limits
from tests.e2e.gateway import Asked, eventually, gateway_before_an_upstream

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
RECEPTION = "/v1/stores/s1/receptions/r1"
SLOW = "/v1/stores/s1/receptions/slow"
LONG_SECONDS = 60.0


async def draining(asked: Asked, news_seconds: float = 0.0, request_seconds: float = LONG_SECONDS) -> None:
    await asyncio.to_thread(drain, asking(asked.gateway.admin_port), news_seconds, request_seconds)


def run_drain(port: int) -> "subprocess.CompletedProcess[str]":
    """The command as a pod runs it."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", "TABLING_GATEWAY_ADMIN_PORT": str(port)}
    command = (sys.executable, "-m", "services.local.gateway_drain")
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


async def test_whoever_comes_to_a_draining_gateway_is_answered_and_told_to_come_by_another_connection(
    tmp_path: Path,
) -> None:
    async with gateway_before_an_upstream(tmp_path, balanced=True) as asked:
        assert (await asked.get("/healthz")).status == 200
        assert "connection" not in (await asked.get(RECEPTION)).headers
        await draining(asked)
        answer = await asked.get(RECEPTION)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert (await asked.get("/healthz")).status == 503


async def test_a_drain_waits_for_the_requests_that_are_under_way(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path, balanced=True, limits=Limits(unary_seconds=2)) as asked:
        slow = asyncio.create_task(asked.get(SLOW))
        ask = asking(asked.gateway.admin_port)
        await eventually(lambda: asyncio.to_thread(active, ask), bool)
        await draining(asked)
        assert not await asyncio.to_thread(active, ask)
        assert (await slow).status == 504


async def test_a_drain_does_not_wait_for_streams(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path, balanced=True) as asked:
        await asked.upstream.to_watchers.put(1)
        async with asked.http.get(f"{asked.gateway.url}{RECEPTION}:watch") as stream:
            assert await stream.content.readline()
            await draining(asked, request_seconds=0.2)
            await asked.upstream.to_watchers.put(2)
            assert b'"version":2' in await stream.content.readline()
            await asked.upstream.to_watchers.put(None)


async def test_the_command_drains_the_gateway_of_its_own_pod(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path, balanced=True) as asked:
        done = await asyncio.to_thread(run_drain, asked.gateway.admin_port)
        assert (done.returncode, done.stderr) == (0, "")
        assert (await asked.get("/healthz")).status == 503


async def test_without_a_gateway_the_command_says_what_is_wrong() -> None:
    done = await asyncio.to_thread(run_drain, free_port())
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
