"""What is known of holes in the packages that run: told, or told that it could not be asked."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from packaging.requirements import Requirement

from services.chassis.addresses import free_port
from tests.manifests.test_project import ROOT

pytestmark = pytest.mark.asyncio

HOLE = {
    "id": "PYSEC-0000-1",
    "summary": "Everybody gets in.",
    "affected": [
        {
            "package": {"name": "aiohttp", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999.1"}]}],
        }
    ],
}


class Advisories:
    """Answers as OSV does; `known` has the holes of each package. `asked` has the packages that were asked after."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.asked: set[str] = set()
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        name = json.loads(await request.text())["package"]["name"]
        self.asked.add(name)
        vulns = self.known.get(name)
        return web.json_response({"vulns": [vulns]} if vulns else {}, status=self.status)


async def audit(advisories: Advisories | None) -> tuple[int, str]:
    """The exit code, and what it said."""
    port = free_port()
    application = web.Application()
    if advisories:
        application.router.add_post("/v1/query", advisories.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    if advisories:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    told = {"PIP_AUDIT_OSV_URL": f"http://127.0.0.1:{port}/v1/query", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    process = await asyncio.create_subprocess_exec(
        ROOT / "scripts" / "audit",
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    await runner.cleanup()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_every_package_that_runs_is_asked_after() -> None:
    advisories = Advisories()
    code, said = await audit(advisories)
    assert code == 0, said
    assert "no hole is known" in said
    lock = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pinned = (Requirement(line.rstrip(" \\")) for line in lock if "==" in line)
    assert advisories.asked == {each.name for each in pinned if each.marker is None or each.marker.evaluate()}


async def test_a_hole_that_is_known_is_told_with_its_remedy() -> None:
    advisories = Advisories()
    advisories.known["aiohttp"] = HOLE
    code, said = await audit(advisories)
    assert code == 1, said
    for part in ("aiohttp", "PYSEC-0000-1", "999.1"):
        assert part in said


@pytest.mark.parametrize("away", [True, False], ids=["away", "out of order"])
async def test_if_nobody_can_be_asked_it_says_so_and_does_not_pass(away: bool) -> None:
    advisories = Advisories()
    advisories.status = 503
    code, said = await audit(None if away else advisories)
    assert code == 3, said
    assert "NOT DONE" in said


async def test_the_hosted_workflow_asks() -> None:
    workflows = (ROOT / ".github" / "workflows").glob("*.yaml")
    assert any("make audit" in Path(each).read_text("utf-8") for each in workflows)
