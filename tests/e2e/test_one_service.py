"""Each service as a process of its own: starts, says so, stops, and tells what is in its way."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.chassis.addresses import free_port
from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from tests.e2e.system import ROOT

pytestmark = pytest.mark.e2e

each_service = pytest.mark.parametrize("name", PORTS)


@dataclass
class Alone:
    """A service that runs without the others."""

    process: asyncio.subprocess.Process
    channel: grpc.aio.Channel

    async def serves(self) -> bool:
        health = health_pb2_grpc.HealthStub(self.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=1)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def listed(self) -> list[str]:
        """The services that reflection tells of."""
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        async for answer in stub.ServerReflectionInfo(iter([request]), timeout=5):
            return [service.name for service in answer.list_services_response.service]
        return []


@asynccontextmanager
async def alone(name: str, data: Path, **settings: str) -> AsyncIterator[Alone]:
    listen = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{name}"),
        cwd=ROOT,
        env=environment(TABLING_LISTEN=listen, TABLING_DATA=str(data), **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        async with grpc.aio.insecure_channel(listen) as channel:
            running = Alone(process, channel)
            await eventually(running.serves, seconds=20)
            yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **settings}


def refused(name: str, **settings: str) -> str:
    """All that a service says that must not start."""
    done = subprocess.run(
        [sys.executable, "-m", f"services.{name}"],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1, done
    return done.stderr.strip()


@each_service
async def test_it_serves_alone_and_stops_when_it_is_told(name: str, tmp_path: Path) -> None:
    async with alone(name, tmp_path) as service:
        assert f"tabling.{name}.v1.{name.capitalize()}Service" in await service.listed()
        service.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            said, _ = await service.process.communicate()
    assert service.process.returncode == 0, said.decode()
    assert b"Traceback" not in said
    assert [file.name for file in tmp_path.glob("*.db")] == [f"{name}.db"]


async def test_reflection_can_be_switched_off(tmp_path: Path) -> None:
    async with alone("seat", tmp_path, TABLING_REFLECTION="off") as service:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await service.listed()
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_taken_port_is_told_with_the_setting_that_names_another(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        said = refused("seat", TABLING_LISTEN=listen, TABLING_DATA=str(tmp_path))
    assert said == (
        f"error: cannot listen on {listen} (Address already in use): name another address with TABLING_LISTEN"
    )


def test_a_wrong_setting_is_told_with_its_name() -> None:
    assert refused("management", TABLING_REFLECTION="perhaps") == (
        "error: TABLING_REFLECTION must be on or off, not 'perhaps'"
    )


def test_a_database_without_a_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused("dashboard", TABLING_DATA=str(tmp_path / "file"))
    assert said.startswith(f"error: the database {tmp_path / 'file' / 'dashboard.db'} cannot be used: ")
