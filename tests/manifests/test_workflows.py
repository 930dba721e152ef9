"""The hosted workflows: valid, with the least rights, and naming only what is there."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from services.chassis.settings import PORTS

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yaml"))}

every_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def workflow(name: str) -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe", pure=True).load(WORKFLOWS[name].read_text(encoding="utf-8"))
    return read


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job.get("steps", ())]


def test_changes_are_tested_and_tags_released_and_holes_looked_for_every_day() -> None:
    assert set(WORKFLOWS) == {"audit", "ci", "release"}
    assert "schedule" in workflow("audit")["on"]
    assert {"push", "pull_request", "workflow_call"} <= set(workflow("ci")["on"])
    assert workflow("release")["on"] == {"push": {"tags": ["v*"]}}


@every_workflow
def test_it_follows_the_schema(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    checked = subprocess.run([*command, str(WORKFLOWS[name])], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@every_workflow
def test_what_it_runs_of_ours_is_there(name: str) -> None:
    lines = "\n".join(step.get("run", "") for step in steps(name))
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for script in re.findall(r"\bscripts/[a-z-]+", lines):
        assert (ROOT / script).exists(), script
    assert set(re.findall(r"\bmake ([a-z-]+)", lines)) <= set(targets)


@every_workflow
def test_it_may_only_read_but_where_it_sends_images(name: str) -> None:
    assert workflow(name)["permissions"] == {"contents": "read"}
    for job in workflow(name)["jobs"].values():
        writes = {what for what, right in job.get("permissions", {}).items() if right == "write"}
        assert not writes or writes == {"packages", "id-token", "attestations"}
        assert not writes or name == "release"


@every_workflow
def test_it_ends_one_day_and_says_which_actions_it_takes(name: str) -> None:
    assert "concurrency" in workflow(name)
    for job in workflow(name)["jobs"].values():
        assert "uses" in job or job["timeout-minutes"] <= 60
    for step in steps(name):
        assert "uses" not in step or re.fullmatch(r"[\w.-]+(/[\w.-]+)+@v?\d[\w.]*", step["uses"]), step
        assert "${{" not in step.get("run", ""), "what others may choose goes by the environment"


def test_the_oldest_python_that_will_do_is_tested() -> None:
    oldest = re.search(r'^requires-python = ">=(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert oldest is not None
    assert oldest[1] in workflow("ci")["jobs"]["test"]["strategy"]["matrix"]["python"]


def test_every_image_is_released_after_the_tests() -> None:
    job = workflow("release")["jobs"]["image"]
    kinds = {each["name"]: each["target"] for each in job["strategy"]["matrix"]["include"]}
    assert kinds == {**dict.fromkeys((*PORTS, "kakao"), "service"), "gateway": "gateway"}
    assert job["needs"] == "test"
    assert workflow("release")["jobs"]["test"]["uses"] == "./.github/workflows/ci.yaml"


def test_an_image_is_scanned_before_it_is_sent_and_signed_after() -> None:
    used = [step["uses"].partition("@")[0] for step in steps("release") if "uses" in step]
    order = [
        "aquasecurity/trivy-action",
        "docker/login-action",
        "actions/attest-sbom",
        "actions/attest-build-provenance",
    ]
    assert [action for action in used if action in order] == order
