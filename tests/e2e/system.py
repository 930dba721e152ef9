"""The whole embedded system as a subprocess, on free ports and in a folder of the test's own."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
import grpc

from services.chassis.environment import read as read_environment
from services.local.certificates import authority
from tests.e2e.callers import Callers, Speaking

ROOT = Path(__file__).resolve().parents[2]
READY = b"Ctrl-C stops it"


MOST_WORKERS = 8


class Ended(AssertionError):
    """The system ended before it answered."""

    def __init__(self, code: int, seen: str) -> None:
        super().__init__(f"ended with code {code}:\n{seen}")
        self.code = code


def free_ports(count: int, *, first: int = 12_000, last: int = 30_000) -> int:
    """The first of `count` neighbouring free ports, below the range that outgoing connections use.

    Of tests that run side by side each worker has a part of that range for itself.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = (last - first) // MOST_WORKERS
    first += worker % MOST_WORKERS * size
    step = os.getpid() * 37 % size
    for offset in range(0, size, count):
        start = first + (step + offset) % (size - count)
        if all(_is_free(port) for port in range(start, start + count)):
            return start
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class System:
    """One running system and how to talk to it: by TLS, where an `authority` vouches for its gateway."""

    def __init__(
        self, data: Path, process: asyncio.subprocess.Process, port: int, authority: Path | None = None
    ) -> None:
        self.data = data
        self.process = process
        self.port = port
        self.authority = authority
        self.url = f"{'https' if authority else 'http'}://127.0.0.1:{port}"
        self.kakao_url = f"http://127.0.0.1:{port + 1}"
        self.targets = {
            name: f"127.0.0.1:{port + 2 + i}"
            for i, name in enumerate(("reception", "seat", "management", "dashboard", "notification"))
        }

    @property
    def databases(self) -> Path | dict[str, str]:
        """Where its data is: the folder, or the address of every service's database."""
        kept = read_environment(self.data)
        found = {name: kept.get(f"TABLING_{name.upper()}_DATABASE", "") for name in self.targets}
        return found if all(found.values()) else self.data

    async def json(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """HTTP status and decoded JSON body of one request through the gateway, by somebody who may make it."""
        headers = self.callers.headers(method, path, body)
        async with (
            self.http() as session,
            session.request(method, self.url + path, json=body, headers=headers, **options) as answer,
        ):
            return answer.status, json.loads(await answer.text() or "null")

    def http(self, **options: Any) -> aiohttp.ClientSession:
        """HTTP to the gateway, and to what speaks no TLS."""
        trusting = ssl.create_default_context(cafile=self.authority) if self.authority else True
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting), **options)

    @cached_property
    def callers(self) -> Callers:
        """Whoever may call it."""
        return Callers(self.data)

    def channel(self, service: str | None = None) -> Any:
        """A gRPC channel to the gateway, or past it to one service, of whoever may make the calls."""
        options = (("grpc.enable_retries", 0),)
        if service:
            return Speaking(grpc.aio.insecure_channel(self.targets[service], options), self.callers.told_inside)
        target = f"127.0.0.1:{self.port}"
        if not self.authority:
            return Speaking(grpc.aio.insecure_channel(target, options), self.callers.told)
        trusting = grpc.ssl_channel_credentials(self.authority.read_bytes())
        return Speaking(grpc.aio.secure_channel(target, trusting, options), self.callers.told)

    def kill(self) -> None:
        """kill -9."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)

    async def ended(self) -> None:
        """Return once it has ended, however."""
        await self.process.wait()

    async def stop(self) -> float:
        """Ctrl-C; the seconds it took to end."""
        started = time.monotonic()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            async with asyncio.timeout(15):
                await self.process.wait()
        return time.monotonic() - started


async def start(
    data: Path,
    *arguments: str,
    module: str = "services.embedded",
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    seconds: float = 40,
) -> System:
    """Start the system and return once it answers. Raises `Ended` or `AssertionError` with its output when not."""
    port = port or free_ports(7)
    ports = ("--port", str(port), "--kakao-port", str(port + 1), "--first-port", str(port + 2))
    path = log_of(data)
    with path.open("ab") as log:
        before = log.tell()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, "--data", str(data), *ports, *arguments,
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", **(environment or {})},
        )  # fmt: skip
    system = System(data, process, port, authority(data) if module == "services.full" else None)
    try:
        await _until_ready(path, before, process, seconds)
    except BaseException:
        system.kill()
        await process.wait()
        raise
    return system


@asynccontextmanager
async def running_system(data: Path, *arguments: str, **options: Any) -> AsyncIterator[System]:
    """A system for the length of the block."""
    system = await start(data, *arguments, **options)
    try:
        yield system
    finally:
        system.kill()
        await system.process.wait()


def log_of(data: Path) -> Path:
    """Where the systems on this folder print to."""
    return data.parent / f"{data.name}.log"


async def _until_ready(log: Path, before: int, process: asyncio.subprocess.Process, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while READY not in log.read_bytes()[before:]:
        seen = log.read_text(errors="replace")[-3000:]
        if process.returncode is not None:
            raise Ended(process.returncode, seen)
        if time.monotonic() > limit:
            raise AssertionError(f"not ready within {seconds} s:\n{seen}")
        await asyncio.sleep(0.02)
