"""The Istio files are right by the judgement of istioctl, and say what they have to."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from services.chassis.kernel import Role
from services.permissions import PERMISSIONS
from tests.e2e.system import ROOT
from tests.manifests.kustomized import EXAMPLES, K8S, Object, built, name_of, of_kind, overlay, pod_of, selects
from tests.mesh.tools import program

SERVICES = ("reception", "seat", "management", "dashboard", "notification")

PARTS = "next-version-of-reception"
"""What two examples have in common."""

HIDDEN = [f"/{method}" for method, row in PERMISSIONS.items() if row.keys() == {Role.SERVICE}]
"""Methods that nobody outside may call."""


def analyze(objects: Sequence[Object], folder: Path) -> list[str]:
    """What istioctl finds, its hints included."""
    file = folder / "objects.json"
    file.write_text("\n---\n".join(json.dumps(each) for each in objects), encoding="utf-8")
    file = file.rename(folder / "objects.yaml")
    command: list[str | Path] = [
        program("istioctl"),
        "analyze",
        "--use-kube=false",
        "--namespace",
        "tabling",
        "--output",
        "json",
        file,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    found = json.loads(done.stdout[done.stdout.find("[") :] if "[" in done.stdout else "[]")
    assert found or not done.returncode, done.stderr
    return [f"{each['code']} {each['origin']}: {each['message']}" for each in found]


def test_istioctl_finds_nothing_in_what_production_gets(tmp_path: Path) -> None:
    assert not analyze(overlay("prod"), tmp_path)


def _without(kind: str, name: str) -> list[Object]:
    return [each for each in overlay("prod") if (each["kind"], each["metadata"]["name"]) != (kind, name)]


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [("DestinationRule", "reception", "IST0101"), ("Gateway", "tabling", "IST0101")],
)
def test_istioctl_finds_what_is_missing(tmp_path: Path, kind: str, name: str, code: str) -> None:
    found = analyze(_without(kind, name), tmp_path)
    assert any(each.startswith(code) for each in found), found


def examples() -> list[str]:
    return sorted(each.parent.name for each in EXAMPLES.glob("*/kustomization.yaml") if each.parent.name != PARTS)


@pytest.mark.parametrize("example", examples())
def test_every_example_can_be_added_to_production(tmp_path: Path, example: str) -> None:
    objects = built(tmp_path, [K8S / "overlays" / "prod"], [EXAMPLES / example])
    assert objects != list(overlay("prod"))
    assert not analyze(objects, tmp_path)


def services(objects: Sequence[Object]) -> Mapping[str, Object]:
    return {each["metadata"]["name"]: each for each in of_kind(objects, "Service")}


def test_every_host_of_the_mesh_is_a_service_with_that_port() -> None:
    known = services(overlay("prod"))
    rules = {each["spec"]["host"] for each in of_kind(overlay("prod"), "DestinationRule")}
    assert rules == {*SERVICES, "gateway"}
    assert rules <= known.keys()
    for each in of_kind(overlay("prod"), "VirtualService"):
        for route in each["spec"]["http"]:
            for to in (target["destination"] for target in route["route"]):
                ports = [port["port"] for port in known[to["host"]]["spec"]["ports"]]
                assert to["port"]["number"] in ports, name_of(each)


def test_every_circuit_breaker_says_how_much_and_ejects_only_for_what_is_a_pods_own_fault() -> None:
    for each in of_kind(overlay("prod"), "DestinationRule"):
        policy = each["spec"]["trafficPolicy"]
        for one in (policy, *(subset["trafficPolicy"] for subset in each["spec"].get("subsets", ()))):
            assert {"http1MaxPendingRequests", "http2MaxRequests"} <= one["connectionPool"]["http"].keys(), name_of(
                each
            )
            # gRPC needs its connections for many calls
            assert "maxRequestsPerConnection" not in one["connectionPool"]["http"]
        if each["spec"]["host"] == "gateway":
            # it would be ejected for what services behind it answer, and for deadlines that callers set
            assert "outlierDetection" not in policy
            continue
        outliers = policy["outlierDetection"]
        assert outliers["consecutive5xxErrors"] == 0
        assert outliers["splitExternalLocalOriginErrors"]
        assert outliers["consecutiveGatewayErrors"]
        assert outliers["consecutiveLocalOriginFailures"]
        # two pods: one of them may be ejected
        assert outliers["maxEjectionPercent"] == 50


def test_every_route_says_what_is_repeated_and_only_what_nobody_saw_unless_it_reads() -> None:
    for each in of_kind(overlay("prod"), "VirtualService"):
        for route in each["spec"]["http"]:
            repeated = set(route["retries"]["retryOn"].split(","))
            assert repeated <= {"connect-failure", "refused-stream"} | (
                {"reset"} if route["name"] == "reads" else set()
            )
            assert ("timeout" in route) is (route["name"] != "streams"), (name_of(each), route["name"])


@cache
def methods() -> Mapping[str, bool]:
    """Every method of the contracts, by its path; whether answers or requests are streamed."""
    descriptors = FileDescriptorSet.FromString((ROOT / "gen" / "tabling.pb").read_bytes())
    return {
        f"/{file.package}.{service.name}/{method.name}": method.server_streaming or method.client_streaming
        for file in descriptors.file
        if file.package.startswith("tabling.")
        for service in file.service
        for method in service.method
    }


def test_streams_have_no_time_limit_and_everything_else_has_one() -> None:
    for each in of_kind(overlay("prod"), "VirtualService"):
        host = each["spec"]["hosts"][0]
        outside = host not in SERVICES
        for path in methods():
            if path in HIDDEN if outside else not callers(host, path):
                continue
            route = next(route for route in each["spec"]["http"] if _matches(route, path))
            assert ("timeout" in route) is not methods()[path], (host, path)


def _matches(route: Mapping[str, Any], path: str) -> bool:
    uris = [match.get("uri", {}) for match in route.get("match", [{"uri": {"regex": ".*"}}])]
    return any(re.fullmatch(uri["regex"], path) if "regex" in uri else uri.get("exact") == path for uri in uris)


def allowed() -> Mapping[str, set[tuple[str, str]]]:
    """Service → who may call which paths of it: the last part of a principal, and a path, maybe with a star."""
    found: dict[str, set[tuple[str, str]]] = {}
    for each in of_kind(overlay("prod"), "AuthorizationPolicy"):
        if not (spec := each["spec"]):
            continue
        name = spec["selector"]["matchLabels"].get("app.kubernetes.io/name")
        for rule in spec["rules"] if name else ():
            who = [p.rpartition("/")[2] for source in rule["from"] for p in source["source"]["principals"]]
            paths = [path for to in rule.get("to", ()) for path in to["operation"]["paths"]]
            found.setdefault(name, set()).update((one, path) for one in who for path in paths)
    return found


def callers(service: str, path: str) -> set[str]:
    return {who for who, pattern in allowed().get(service, set()) if re.fullmatch(pattern.replace("*", ".*"), path)}


def test_nothing_is_allowed_that_is_not_said() -> None:
    [nothing] = [each for each in of_kind(overlay("prod"), "AuthorizationPolicy") if not each["spec"]]
    assert nothing["metadata"]["name"] == "nothing"


@cache
def calls_of(service: str) -> set[str]:
    """The methods that a service's own code calls: those named where stubs are made."""
    found = set()
    for file in (ROOT / "services" / service).rglob("*.py"):
        text = file.read_text("utf-8")
        for stub in re.findall(r"^from tabling\..* import (\w+)Stub$", text, re.MULTILINE):
            of_stub = [path for path in methods() if path.split("/")[1].endswith(f".{stub}")]
            found |= {path for path in of_stub if re.search(rf"\.{path.rpartition('/')[2]}\b", text)}
    return found


def needed(service: str, path: str) -> set[str]:
    """Who has to be able to call a method of a service: the gateway for whoever is outside, others by their code."""
    own = path.startswith(f"/tabling.{service}.")
    inside = {name for name in SERVICES if path in calls_of(name) and service in targets(name)}
    return inside | ({"gateway"} if own and path not in HIDDEN else set())


@pytest.mark.parametrize("service", SERVICES)
def test_each_method_can_be_called_by_those_who_have_to_and_nobody_else(service: str) -> None:
    assert PERMISSIONS.keys() == {path[1:] for path in methods()}
    for path in methods():
        assert callers(service, path) == needed(service, path), path


def test_hidden_methods_are_called_by_somebody() -> None:
    assert {path: {name for name in SERVICES if path in calls_of(name)} for path in HIDDEN} == {
        "/tabling.reception.v1.ContactService/BatchGetContacts": {"notification"},
        "/tabling.messaging.v1.EventFeedService/ReadSnapshots": {"dashboard"},
    }


def test_whoever_is_allowed_is_a_service_account_and_every_path_a_method() -> None:
    accounts = {each["metadata"]["name"] for each in of_kind(overlay("prod"), "ServiceAccount")}
    for name, rules in allowed().items():
        for who, pattern in rules:
            assert who in accounts, (name, who)
            known = [*methods(), "/grpc.health.v1.Health/Check"]
            known += [f"/grpc.reflection.{v}.ServerReflection/ServerReflectionInfo" for v in ("v1", "v1alpha")]
            assert any(re.fullmatch(pattern.replace("*", ".*"), path) for path in known), (name, pattern)


def test_services_are_asked_only_by_those_who_have_their_address() -> None:
    """Configuration, network policy and authorization agree about who calls whom."""
    for name in SERVICES:
        asked = {other for other, rules in allowed().items() if any(who == name for who, _ in rules)}
        assert targets(name) == asked, name
        assert targets(name) == reachable(name) & set(SERVICES), name


def test_the_way_in_is_the_one_that_the_site_names() -> None:
    folder = K8S / "overlays" / "prod"
    site = yaml.safe_load((folder / "site.yaml").read_text("utf-8"))["data"]
    overlaid = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))["replacements"]
    [replaced] = [each["targets"] for each in overlaid if each["source"]["fieldPath"] == "data.ingress"]
    assert replaced == [
        {
            "select": {"kind": "AuthorizationPolicy", "name": "gateway"},
            "fieldPaths": ["spec.rules.0.from.0.source.principals.0"],
        }
    ]
    [gateway] = [
        each for each in of_kind(overlay("prod"), "AuthorizationPolicy") if each["metadata"]["name"] == "gateway"
    ]
    assert gateway["spec"]["rules"] == [{"from": [{"source": {"principals": [site["ingress"]]}}]}]


def test_every_proxy_begins_before_what_it_stands_before() -> None:
    for each in of_kind(overlay("prod"), "Deployment"):
        assert pod_of(each)["metadata"]["annotations"]["sidecar.istio.io/nativeSidecar"] == "true", name_of(each)


def test_traces_may_leave_for_their_collector_wherever_it_is() -> None:
    site = yaml.safe_load((K8S / "overlays" / "prod" / "site.yaml").read_text("utf-8"))["data"]
    mesh = yaml.safe_load((ROOT / "istio" / "mesh-config.yaml").read_text("utf-8"))["meshConfig"]
    [collector] = [each["opentelemetry"] for each in mesh["extensionProviders"] if "opentelemetry" in each]
    assert collector["service"].split(".")[1:] == [site["traces"], "svc", "cluster", "local"]
    [policy] = [
        each["spec"] for each in of_kind(overlay("prod"), "NetworkPolicy") if each["metadata"]["name"] == "traces"
    ]
    place = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": site["traces"]}}}
    assert policy["egress"] == [{"to": [place], "ports": [{"port": collector["port"]}]}]
    for each in of_kind(overlay("prod"), "Deployment"):
        assert selects(policy["podSelector"]["matchLabels"], pod_of(each)["metadata"]["labels"]), name_of(each)


def environment(deployment: Object, where: str = "prod", name: str = "service") -> Mapping[str, str]:
    """What the container of that name in its pods is told, by ConfigMaps and by name."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(overlay(where), "ConfigMap")}
    spec = pod_of(deployment)["spec"]
    [container] = [each for each in (*spec.get("initContainers", ()), *spec["containers"]) if each["name"] == name]
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    return found | {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


@cache
def targets(name: str) -> set[str]:
    """Services of which a service's pods are told the address."""
    [pod] = [each for each in of_kind(overlay("prod"), "Deployment") if each["metadata"]["name"] == name]
    told = environment(pod).items()
    return {value.partition(":")[0] for key, value in told if re.fullmatch(r"TABLING_[A-Z]+_TARGET", key)}


def reachable(name: str) -> set[str]:
    """Services to which network policies let a service's pods out, and which let them in."""
    objects = overlay("prod")
    labels = {each["metadata"]["name"]: pod_of(each)["metadata"]["labels"] for each in of_kind(objects, "Deployment")}

    def opened(way: str, side: str, of: str) -> set[str]:
        return {
            other
            for policy in of_kind(objects, "NetworkPolicy")
            if selects(policy["spec"]["podSelector"].get("matchLabels", {"": ""}), labels[of])
            for rule in policy["spec"].get(way, ())
            for peer in rule.get(side, ())
            if "podSelector" in peer and "namespaceSelector" not in peer
            for other in labels
            if selects(peer["podSelector"].get("matchLabels", {"": ""}), labels[other])
        }

    return {other for other in opened("egress", "to", name) if name in opened("ingress", "from", other)}
