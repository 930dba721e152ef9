"""The README tells the truth: its commands are run in one shell, and their answers compared with those it shows."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.settings import PORTS, from_environment
from tests.e2e.story_kit import at_rest
from tests.e2e.system import ROOT, System, free_ports, running_system
from tests.e2e.transcript import Step, differences, objects, quoted, steps
from tests.entitled import ENVIRONMENT

README = (ROOT / "README.md").read_text(encoding="utf-8")
STEPS = list(steps(README))
OWN = re.compile(r"^(scripts/[\w-]+)", re.MULTILINE)
"""Commands that are not for the second terminal: they make and start what the others use."""
OF_A_CLUSTER = re.compile(r"^kubectl ", re.MULTILINE)
"""Commands for which nobody here has a cluster: tests/manifests/test_cluster_documents.py runs them."""
LINK = re.compile(r"\]\((?!https?:)([^)]+)\)")
END = "--- end of answer ---"


class Shell:
    """One bash for all commands, in the repository, as somebody would paste them."""

    def __init__(self, system: System, process: asyncio.subprocess.Process) -> None:
        self._system = system
        self._process = process

    async def run(self, commands: str) -> tuple[int, str]:
        """Exit code of the last command, and all that was printed."""
        here = commands.replace("http://127.0.0.1:8080", self._system.url)
        here = here.replace("http://127.0.0.1:9190", self._system.kakao_url)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{here}\nprintf '\\n%s %d\\n' '{END}' $?\n".encode())
        printed = ""
        async with asyncio.timeout(20):
            while END not in printed:
                line = await self._process.stdout.readline()
                assert line, f"the shell ended: {printed}"
                printed += line.decode()
        answer, _, code = printed.rpartition(END)
        return int(code), answer

    async def close(self) -> None:
        self._process.kill()
        await self._process.wait()


async def shell_for(system: System) -> Shell:
    trusting = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE"), str(system.authority)) if system.authority else {}
    process = await asyncio.create_subprocess_exec(
        *("bash", "--noprofile", "--norc", "-s"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "no_proxy": "127.0.0.1", "TABLING_DATA": str(system.data), **trusting},
    )
    return Shell(system, process)


def is_about_scripts(step: Step) -> bool:
    return bool(OWN.search(step.commands))


def is_about_a_cluster(step: Step) -> bool:
    return bool(OF_A_CLUSTER.search(step.commands))


MODES = {"up": "services.embedded", "up-full": "services.full"}


@pytest.mark.e2e
@pytest.mark.parametrize("mode", MODES)
async def test_the_walk_gives_the_answers_that_are_shown(mode: str, servers_folder: Path) -> None:
    walk = [step for step in STEPS if not is_about_scripts(step) and not is_about_a_cluster(step)]
    assert len([step for step in walk if step.shown]) >= 15
    data = servers_folder / f"readme-{mode}"
    async with running_system(data, module=MODES[mode], port=free_ports(120), seconds=120) as system:
        shell = await shell_for(system)
        try:
            for step in walk:
                code, answer = await shell.run(step.commands)
                seen = list(objects(answer)) if step.shown else []
                found = [*differences(list(step.shown), seen), *([f"exit code {code}"] if code else [])]
                assert not found, f"{step.commands}\n{answer}"
                # A person types slowly enough for everybody to have heard of it.
                await at_rest(system)
        finally:
            await shell.close()
            await system.stop()


def test_the_scripts_that_it_names_are_there() -> None:
    named = {script for step in STEPS for script in OWN.findall(step.commands)}
    named |= set(re.findall(r"`(scripts/[\w-]+)[` ]", README))
    expected = ("up", "up-full", "test", "setup", "reset", "images", "k8s-secrets")
    assert {f"scripts/{name}" for name in expected} <= named
    for script in named:
        assert os.access(ROOT / script, os.X_OK), script
        assert (ROOT / script).is_file(), script


@pytest.mark.parametrize("mode", MODES)
def test_the_scripts_run_the_systems_that_are_tested_here(mode: str) -> None:
    last = (ROOT / "scripts" / mode).read_text(encoding="utf-8").splitlines()[-1]
    assert last == f'exec .venv/bin/python -m {MODES[mode]} "$@"'
    assert re.search(rf"^{mode}:.*\n\t@scripts/{mode} ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.e2e
async def test_one_service_runs_alone(tmp_path: Path) -> None:
    [module] = set(re.findall(r"`\.venv/bin/python -m (services\.\w+)`", README))
    target = f"127.0.0.1:{free_ports(1)}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        cwd=ROOT,
        env={**os.environ, "TABLING_DATA": str(tmp_path), "TABLING_LISTEN": target},
        stderr=subprocess.DEVNULL,
    )
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            answer = await health.Check(request, wait_for_ready=True, timeout=20)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert [file.name for file in tmp_path.glob("*.db")] == ["reception.db"]
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_its_links_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    for target in LINK.findall(README):
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        assert path or anchor in anchors, target


def test_its_folders_are_there() -> None:
    map_of_the_repository = README.partition("## Map")[2].partition("##")[0]
    folders = re.findall(r"^\| `([\w/]+)` \|", map_of_the_repository, re.MULTILINE)
    assert len(folders) > 8
    for folder in folders:
        assert (ROOT / folder).is_dir(), folder


class Asked(Mapping[str, str]):
    """An environment with nothing but keys, which remembers what it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return ENVIRONMENT[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ENVIRONMENT)

    def __len__(self) -> int:
        return len(ENVIRONMENT)


def test_its_variables_are_those_that_a_service_reads() -> None:
    told = dict(re.findall(r"^\| `TABLING_([A-Z_]+)`(?: \*)? \| `([^`]*)`", README, re.MULTILINE))
    environment = Asked()
    settings = from_environment("reception", environment)
    read = {name.removeprefix("TABLING_") for name in environment.names if not name.startswith("TABLING_RECEPTION_")}
    assert told.keys() == {name for name in read if not name.endswith(("_TARGET", "_FILE"))}
    for name in (name for name in told if name.endswith("_SECONDS")):
        assert float(told[name]) == getattr(settings, name.lower()), name
    for service, port in PORTS.items():
        assert settings.upstreams[service] == f"127.0.0.1:{port}"
    assert f"| {min(PORTS.values())}–{max(PORTS.values())} | {', '.join(PORTS)}: gRPC |" in README


def test_bare_marks_of_omission_become_json() -> None:
    shown = '{"a": "x…", …, "b": {…}, "c": [1, …], "d": …}'
    [value] = objects(quoted(shown))
    assert value == {"a": "x…", "…": "…", "b": {"…": "…"}, "c": [1, "…"], "d": "…"}


def test_a_wrong_answer_is_found() -> None:
    shown = {"name": "a/…", "…": "…", "list": [1, {"x": True}]}
    assert not list(differences(shown, {"name": "a/b", "list": [1, {"x": True}], "more": 1}))
    wrong = {"name": "b", "list": [2, {"x": 1, "y": 2}, 3]}
    assert sorted(differences(shown, wrong)) == [
        ".list has 3 items, shown are 2",
        ".list[0] is 2, shown 1",
        ".list[1].x is 1, shown True",
        ".list[1].y is not shown",
        ".name is 'b', shown 'a/…'",
    ]
