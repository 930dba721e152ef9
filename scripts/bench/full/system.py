"""The system under test: the full mode as its command starts it, in an empty folder."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.child import ROOT
from scripts.bench.processes import Tree
from scripts.bench.roomy import ROOMY
from services.chassis import environment
from services.chassis.addresses import free_port
from services.chassis.settings import PORTS
from services.full.settings import FullSettings
from services.local.certificates import authority
from services.local.keys import Keys
from services.local.keys import of as keys_of
from services.local.ports import PortTaken, require_free

READY = b"Ctrl-C stops it"
START_SECONDS = 120.0
TRIES = 50
QUIET = {"TABLING_LOG_LEVEL": "WARNING", **ROOMY.environment}


@dataclass(frozen=True, slots=True)
class System:
    """Where it is: host:port of each service and of the gateway, the vendor's stand-in, addresses of databases.

    `environment` is what one more process of a service must be given; `keys` let callers in, and `authority` is the
    file with the certificate of who vouches for the gateway.
    """

    tree: Tree
    targets: Mapping[str, str]
    gateway: str
    kakao_url: str
    databases: Mapping[str, str]
    environment: Mapping[str, str]
    keys: Keys
    authority: Path


@asynccontextmanager
async def full_system(folder: Path) -> AsyncIterator[System]:
    """Start it, and stop it at the end of the block."""
    settings = await _on_free_ports(folder / "data")
    process = await asyncio.create_subprocess_exec(
        *_command(settings),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, **QUIET},
    )
    try:
        await _started(process)
        told = environment.read(settings.data)
        yield System(
            tree=Tree(process.pid),
            targets=settings.targets,
            gateway=f"127.0.0.1:{settings.port}",
            kakao_url=settings.kakao_url,
            databases={service: told[f"TABLING_{service.upper()}_DATABASE"] for service in PORTS},
            environment=told,
            keys=keys_of(settings.data),
            authority=authority(settings.data),
        )
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


def _command(settings: FullSettings) -> tuple[str, ...]:
    ports = (
        *("--port", str(settings.port)),
        *("--first-port", str(settings.first_port)),
        *("--kakao-port", str(settings.kakao_port)),
    )
    return (sys.executable, "-m", "services.full", "--no-demo", "--data", str(settings.data), *ports)


async def _on_free_ports(data: Path) -> FullSettings:
    for _ in range(TRIES):
        settings = FullSettings(data=data, port=free_port(), first_port=free_port(), kakao_port=free_port())
        try:
            await require_free(settings.listeners)
        except PortTaken:
            continue
        return settings
    raise RuntimeError("no free ports were found")


async def _started(process: asyncio.subprocess.Process) -> None:
    assert process.stdout  # noqa: S101 - asked for above
    async with asyncio.timeout(START_SECONDS):
        async for line in process.stdout:
            if READY in line:
                return
    raise RuntimeError("the full system did not start; see its messages above")
