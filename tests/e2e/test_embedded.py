"""The embedded system as a process: how it starts and stops, and what it says when it cannot."""

import ast
import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.testing import eventually
from services.local.folder import MARK, owned
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import (
    CreateReceptionRequest,
    GetReceptionRequest,
    WatchReceptionRequest,
)
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tests.e2e.system import ROOT, System, free_ports, log_of, running_system

pytestmark = pytest.mark.e2e

STOP_SECONDS = 8.0
"""Less than the grace of running calls, which nothing here may use up."""
PARENT = "stores/seongsu-omakase"


def children(pid: int) -> dict[str, int]:
    """Program → process id of the children of a process."""
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {Path(f"/proc/{child}/cmdline").read_text().split("\0")[0].rpartition("/")[2]: int(child) for child in pids}


def gone(pid: int) -> bool:
    """Whether no such process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def command(data: Path, *arguments: str) -> list[str]:
    port = free_ports(7)
    ports = ("--port", str(port), "--kakao-port", str(port + 1), "--first-port", str(port + 2))
    return [sys.executable, "-m", "services.embedded", "--data", str(data), *ports, *arguments]


def run(*wanted: str, root: Path = ROOT, **environment: str) -> tuple[int, str]:
    """Exit code and all that was said by a system that is not expected to stay."""
    env = {**os.environ, "PYTHONPATH": f"{root}:{root / 'gen'}", **environment}
    done = subprocess.run(wanted, cwd=root, env=env, capture_output=True, text=True, timeout=30, check=False)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    return done.returncode, said


async def get(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def healthy(url: str) -> bool:
    try:
        return await get(f"{url}/healthz") == 200
    except aiohttp.ClientError:
        return False


async def press_ctrl_c_twice(system: System) -> float:
    """How many seconds it then took to end."""
    system.process.send_signal(signal.SIGINT)
    stopping = asyncio.create_task(system.stop())
    await asyncio.sleep(0.05)
    if system.process.returncode is None:
        system.process.send_signal(signal.SIGINT)
    return await stopping


async def test_it_answers_everywhere_and_says_where_in_whole_lines(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running_system(data, environment={"COLUMNS": "20"}) as system:
        said = log_of(data).read_text()
        assert re.search(r"started +services [\d.]+ s, all [\d.]+ s\n", said)
        assert f"curl '{system.url}/v1/storeViews:search?openNow=true'\n" in said
        assert said.startswith("Tabling is up\n")
        assert f"scripts/token operator --data {data}, and so on\n" in said
        assert len(said.splitlines()) == 13, said
        for url in (f"{system.url}/healthz", f"{system.kakao_url}/inbox"):
            assert await get(url) == 200
        for target in system.targets.values():
            assert target in said
            async with grpc.aio.insecure_channel(target) as channel:
                health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert health.status == health_pb2.HealthCheckResponse.SERVING
        _, found = await system.json("GET", "/v1/storeViews:search")
        assert len(found["storeViews"]) == 6
        system.process.send_signal(signal.SIGTERM)
        assert await system.stop() < STOP_SECONDS
        assert system.process.returncode == 0
        assert log_of(data).read_text() == said


async def test_ctrl_c_ends_it_at_once_while_people_watch_and_join_and_the_next_start_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running_system(data) as system, system.channel() as gateway, system.channel("reception") as channel:
        stub = ReceptionServiceStub(channel)
        join = CreateReceptionRequest(parent=PARENT, reception=Reception(party_size=2))
        first = await stub.CreateReception(join)
        watches = [
            ReceptionServiceStub(c).WatchReception(WatchReceptionRequest(name=first.name)) for c in (gateway, channel)
        ]
        for watch in watches:
            await watch.read()

        async def keep_joining() -> None:
            while True:
                await stub.CreateReception(join)

        joining = [asyncio.create_task(keep_joining()) for _ in range(20)]
        await asyncio.sleep(0.3)
        children_before = children(system.process.pid)
        seconds = await press_ctrl_c_twice(system)
        await asyncio.wait(joining)
        assert all(isinstance(task.exception(), grpc.aio.AioRpcError) for task in joining)
        assert (system.process.returncode, seconds < STOP_SECONDS) == (0, True), log_of(data).read_text()
        assert all(map(gone, children_before.values()))
        assert "Traceback" not in log_of(data).read_text()
    code, said = run(sys.executable, "-m", "services.operations", "check", "--moving", "--data", str(data))
    assert (code, said) == (0, "No violations.\n")
    async with running_system(data) as system, system.channel("reception") as channel:
        wanted = GetReceptionRequest(name=first.name)
        # the channel's attempts to reach the system before may still make it hesitate
        assert (await ReceptionServiceStub(channel).GetReception(wanted, wait_for_ready=True)).name == first.name


@pytest.mark.parametrize(
    ("number", "seconds"), [(signal.SIGINT, 0.0), (signal.SIGTERM, 0.2), (signal.SIGINT, 0.6), (signal.SIGTERM, 1.2)]
)
async def test_it_can_be_stopped_while_it_starts(tmp_path: Path, number: signal.Signals, seconds: float) -> None:
    data = tmp_path / "data"
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"}
    process = await asyncio.create_subprocess_exec(
        *command(data), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        await eventually((data / MARK).exists, seconds=20)
        await asyncio.sleep(seconds)
        began = time.monotonic()
        process.send_signal(number)
        async with asyncio.timeout(15):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()
    assert b"Traceback" not in said
    assert time.monotonic() - began < STOP_SECONDS


async def test_nothing_outlives_a_system_that_was_killed(tmp_path: Path) -> None:
    async with running_system(tmp_path / "data", "--no-demo") as system:
        pids = children(system.process.pid)
        assert set(pids) == {"envoy", Path(sys.executable).name}
        system.kill()
        for pid in pids.values():
            await eventually(partial(gone, pid))


async def test_children_that_die_come_back_and_this_is_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running_system(data, "--no-demo") as system:
        for pid in children(system.process.pid).values():
            os.kill(pid, signal.SIGKILL)
        for url in (system.url, system.kakao_url):
            await eventually(partial(healthy, url), seconds=15)
        said = log_of(data).read_text()
        assert said.count("child ended, starting it again") == 2
        assert await system.stop() < STOP_SECONDS
        assert system.process.returncode == 0


def test_a_service_that_crashes_ends_the_system_with_its_name(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from services.embedded.cli import main\n"
        "from services.notification.entrypoints.sender import Sender\n"
        "async def crash(*_): raise OverflowError('too much')\n"
        "Sender.serve = crash\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    with pytest.raises(AssertionError, match=r"error: ServiceFailed: notification failed: OverflowError\('too much'\)"):
        run(sys.executable, "-c", script, *command(tmp_path / "data")[3:])


def test_what_is_in_the_way_is_told_in_one_line(tmp_path: Path) -> None:
    with owned(tmp_path):
        code, said = run(*command(tmp_path))
    assert code == 1
    assert said == (
        f"error: {tmp_path} is in use by process {os.getpid()}: stop it first, or name another with --data\n"
    )


def test_contracts_that_were_not_made_are_asked_for(tmp_path: Path) -> None:
    for part in ("__init__.py", "chassis", "embedded", "local"):
        source = ROOT / "services" / part
        (tmp_path / "services").mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / "services" / part)
    code, said = run(*command(tmp_path / "data"), root=tmp_path)
    assert (code, said) == (1, f"error: {tmp_path / 'gen'} is missing or not whole: type scripts/generate\n")


def test_a_python_that_is_too_old_is_told_so_in_words_it_understands() -> None:
    for module in ("embedded/__main__.py", "full/__main__.py", "local/__init__.py", "local/launch.py"):
        ast.parse((ROOT / "services" / module).read_text(), feature_version=(3, 7))
    script = (
        "import runpy, sys\n"
        "sys.version_info, sys.version = (3, 8, 10), '3.8.10 (default)'\n"
        "runpy.run_module('services.embedded', run_name='__main__')\n"
    )
    assert run(sys.executable, "-c", script) == (
        1,
        "error: Python 3.11 or newer is needed, this is 3.8.10: type scripts/up\n",
    )


def test_a_package_that_is_missing_is_named() -> None:
    script = (
        "import runpy, sys\nsys.modules['uvloop'] = None\nrunpy.run_module('services.embedded', run_name='__main__')\n"
    )
    code, said = run(sys.executable, "-c", script)
    assert (code, said) == (1, "error: the Python package uvloop is missing: type scripts/up, which installs it\n")
