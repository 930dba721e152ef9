"""What the documents say of clusters is what the files say: commands, probes, circuit breakers, settings."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from services.local.gateway_main import settings
from tests.drills.manifest import Probe, lifecycle_of_gateway, lifecycle_of_services
from tests.e2e.system import ROOT
from tests.manifests.kustomized import K8S, Object, name_of, of_kind, overlay, read
from tests.manifests.test_runbook import anchors
from tests.mesh.tools import program

README = (ROOT / "README.md").read_text("utf-8")
KUBERNETES = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})

KUBECTL = """#!/bin/sh
# stands in for kubectl, which needs a cluster: builds what it applies, and notes what it was asked
printf '%s\\0' "$@" >>"$TYPED"; printf '\\n' >>"$TYPED"
case $1 in
    apply) exec kustomize build "$3" >"$TYPED.applied" ;;
    create) cat >"$TYPED.created" ;;
esac
"""
NOTES = """#!/bin/sh
printf '%s\\0' "$0" "$@" >>"$TYPED"; printf '\\n' >>"$TYPED"
"""

DONE = "#!/bin/sh\n"
"""What there is to set up is there."""


def table(document: str, head: str) -> list[list[str]]:
    """The rows below that head, cell by cell, without marks of code."""
    rows = document.partition(f"\n{head}")[2].partition("\n\n")[0].split("\n")[2:]
    assert rows, head
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows]


def blocks() -> list[str]:
    """What the README types into a cluster, one block for each overlay."""
    section = README.partition("\n## In Kubernetes\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def typed(block: str, folder: Path) -> tuple[list[list[str]], list[Object]]:
    """Run commands on a copy of the files. Returns what was asked of kubectl and scripts, and what was applied."""
    for name in ("k8s", "istio"):
        shutil.copytree(ROOT / name, folder / name)
    commands = folder / "bin"
    scripts = folder / "scripts"
    for place, text in ((commands / "kubectl", KUBECTL), (scripts / "images", NOTES), (scripts / "setup", DONE)):
        place.parent.mkdir(exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(0o755)
    shutil.copy(ROOT / "scripts" / "k8s-secrets", scripts)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (commands / "kustomize").symlink_to(program("kustomize"))
    notes = folder / "typed"
    environment = {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "TYPED": str(notes)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    asked = [line.split("\0")[:-1] for line in notes.read_text("utf-8").splitlines()]
    return asked, read((folder / "typed.applied").read_text("utf-8"))


@pytest.mark.parametrize(("number", "where"), list(enumerate(("dev", "prod"))))
def test_what_the_readme_types_applies_that_overlay_and_asks_for_what_is_there(
    number: int, where: str, tmp_path: Path
) -> None:
    asked, objects = typed(blocks()[number], tmp_path)
    assert [name_of(each) for each in of_kind(objects, "Deployment")] == [
        name_of(each) for each in of_kind(overlay(where), "Deployment")
    ]
    there = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in objects}
    for words in asked:
        named = {word for word in words if re.match(r"(deployment|service)/", word)}
        assert named <= there, words
        assert (
            words[:2] == ["--namespace", "tabling"]
            or words[0] in ("apply", "create")
            or words[0].startswith("scripts/")
        ), words
        if "--" in words:
            python, option, module = words[words.index("--") + 1 :]
            assert (python, option) == ("python", "-m")
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
        if "port-forward" in words:
            [service] = [
                each for each in of_kind(objects, "Service") if words[-2] == f"service/{each['metadata']['name']}"
            ]
            assert int(words[-1].partition(":")[2]) in [port["port"] for port in service["spec"]["ports"]]


def test_the_images_that_the_readme_builds_are_those_that_run_in_development(tmp_path: Path) -> None:
    [images, *_], objects = typed(blocks()[0], tmp_path)
    usage = (ROOT / "scripts" / "images").read_text("utf-8")
    told = dict(zip(images[1::2], images[2::2], strict=False))
    assert all(option in usage for option in images[1:] if option.startswith("--"))
    ours = f"{told['--registry']}/tabling-"
    built = {f"{ours}{name}:{told['--tag']}" for name in re.findall(r"^all=\((.*)\)$", usage, re.MULTILINE)[0].split()}
    run = {
        container["image"]
        for each in of_kind(objects, "Deployment")
        for kind in ("initContainers", "containers")
        for container in each["spec"]["template"]["spec"].get(kind, ())
    }
    assert run == built


def test_every_target_of_make_that_documents_name_is_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for document in DOCUMENTS:
        for target in re.findall(r"(?:^|`|: )make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE):
            assert target in targets, (document.name, target)


def test_every_script_that_documents_name_is_there() -> None:
    for document in DOCUMENTS:
        for script in re.findall(r"(?<![\w/.-])scripts/[\w-]+", document.read_text("utf-8")):
            assert (ROOT / script).exists(), (document.name, script)


def test_every_file_that_the_document_names_is_there() -> None:
    for name in re.findall(r"`((?:k8s|istio|tests|services)/[\w./-]+)`", KUBERNETES):
        assert (ROOT / name).exists(), name
    parts = [cell for row in table(KUBERNETES, "| where | what |") for cell in row[0].split(", ")]
    told = {part.removeprefix("k8s/components/") for part in parts}
    assert {each.name for each in (K8S / "components").iterdir()} <= told


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_of_every_document_leads_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for place, anchor in re.findall(r"\]\((?!https?:)([^)#:]*)#?([^)]*)\)", re.sub(r"\s+", " ", text)):
        other = (document.parent / place).resolve() if place else document
        assert other.exists(), place
        assert not anchor or anchor in anchors(other), (place, anchor)


def probes() -> Iterator[list[str]]:
    for of, life in (("service", lifecycle_of_services()), ("gateway", lifecycle_of_gateway())):
        for name in ("startup", "readiness", "liveness"):
            probe: Probe = getattr(life, name)
            asks = probe.grpc["service"] if probe.grpc else (probe.http or {})["path"]
            yield [of, name, asks, *(f"{number:g}" for number in (probe.period, probe.timeout, probe.failures))]


def test_its_probes_are_those_of_the_pods() -> None:
    assert [row[:6] for row in table(KUBERNETES, "| of | probe |")] == list(probes())
    life = lifecycle_of_services()
    assert f"with {life.liveness.grace:g} s to end" in KUBERNETES
    assert f"**preStop**, {life.pre_stop:g} s" in KUBERNETES
    assert f"after {life.grace:g} s in all" in KUBERNETES
    [migrate] = {
        shlex.join(container["command"])
        for each in of_kind(overlay("prod"), "Deployment")
        for container in each["spec"]["template"]["spec"].get("initContainers", ())
    }
    assert re.findall(r"--wait (\d+)", migrate) == re.findall(r"waits up to (\d+) s for its database", KUBERNETES)


def limits(policy: Mapping[str, Any]) -> list[str]:
    http = policy["connectionPool"]["http"]
    return [f"{http['http2MaxRequests']:,}", f"{http['http1MaxPendingRequests']:,}"]


def test_its_circuit_breakers_are_those_of_the_mesh() -> None:
    shipped = {
        each["spec"]["host"]: [
            *limits(each["spec"]["trafficPolicy"]),
            *(
                [limit for subset in each["spec"].get("subsets", ()) for limit in limits(subset["trafficPolicy"])]
                or ["", ""]
            ),
        ]
        for each in of_kind(overlay("prod"), "DestinationRule")
    }
    assert {host: told for host, *told in table(KUBERNETES, "| to | calls at once |")} == shipped
    [outliers] = [
        each["spec"]["trafficPolicy"]["outlierDetection"]
        for each in of_kind(overlay("prod"), "DestinationRule")
        if each["spec"]["host"] == "seat"
    ]
    assert f"{outliers['consecutiveLocalOriginFailures']} times in a row | ejects it for 15 s" in KUBERNETES
    assert outliers["baseEjectionTime"] == "15s"
    assert f"`DEADLINE_EXCEEDED`, {outliers['consecutiveGatewayErrors']} times in a row" in KUBERNETES


def test_its_time_limits_are_those_of_the_mesh() -> None:
    found: dict[str, set[str]] = {}
    for each in of_kind(overlay("prod"), "VirtualService"):
        for route in each["spec"]["http"]:
            found.setdefault(each["metadata"]["name"], set()).update({route["timeout"]} if "timeout" in route else ())
    assert found == {
        "tabling": {"12s"},
        "seat": {"0.25s", "8s"},
        **{name: {"8s"} for name in ("reception", "management", "dashboard", "notification")},
    }
    assert "to the gateway 12; the gateway itself 10; from the gateway to a service 8" in KUBERNETES
    assert "`seat` 0.25 of the 0.3 that reception waits" in KUBERNETES


def test_its_variables_are_those_that_a_gateway_reads() -> None:
    source = (ROOT / "services" / "local" / "gateway_main.py").read_text("utf-8")
    rows = {row[0].removeprefix("TABLING_GATEWAY_"): row[1] for row in table(KUBERNETES, "| variable | default |")}
    assert rows.keys() == set(re.findall(r'given\.\w+\("([A-Z_]+)"', source))
    told = settings({"TABLING_KEY": "k" * 32, "TABLING_GATEWAY_JWKS": "(needed)"})
    shown = {
        "LISTEN": f"{told.listen_host}:{told.listen_port}",
        "BALANCED": "on" if told.balanced else "off",
        "TRUSTED_HOPS": str(told.trusted_hops),
        "CORS_ORIGINS": ",".join(told.cors_origins) or "(empty)",
        "ACCESS_LOG": str(told.access_log or "(empty)"),
        "REFLECTION": "on" if told.reflection_upstream else "off",
        "CONCURRENCY": str(told.concurrency),
        "ADMIN_PORT": str(told.admin_port),
        "ISSUER": told.issuer.name,
        "JWKS": str(told.issuer.jwks),
    }
    assert rows == shown
