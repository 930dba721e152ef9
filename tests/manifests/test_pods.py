"""Our own policies about pods: their limits and probes, who may disturb them, what they are told."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.chassis.interceptor import LONGEST_SECONDS
from services.chassis.settings import PORTS, from_environment
from services.local.gateway_main import settings as gateway_settings
from services.local.gateway_routes import PUBLIC
from services.local.gateway_settings import ISSUER, Issuer
from tests.e2e.system import ROOT
from tests.manifests.kustomized import K8S, OVERLAYS, Object, name_of, of_kind, overlay, pod_of, read, selects
from tests.manifests.test_mesh import environment

OURS = (*PORTS, "gateway")
SECRET = re.compile(
    r"password|passwd|secret|token|credential|_KEY\b|BEGIN [A-Z ]*PRIVATE KEY|://[^/\s]*:[^/\s]+@", re.IGNORECASE
)
BYTES = {"Mi": 2**20, "Gi": 2**30}


def workloads(name: str) -> list[Object]:
    return of_kind(overlay(name), "Deployment", "StatefulSet")


def deployment(name: str, of: str = "prod") -> Object:
    return next(each for each in of_kind(overlay(of), "Deployment") if each["metadata"]["name"] == name)


def containers(each: Object) -> Iterator[Mapping[str, Any]]:
    spec = pod_of(each)["spec"]
    yield from (*spec.get("initContainers", ()), *spec["containers"])


@pytest.mark.parametrize("where", OVERLAYS)
def test_pods_fulfil_the_restricted_standard_and_write_nowhere_but_on_their_volumes(where: str) -> None:
    for each in workloads(where):
        spec = pod_of(each)["spec"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name_of(each)
        assert context["runAsUser"] > 0, name_of(each)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name_of(each)
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all({"emptyDir", "projected", "secret", "configMap"} & volume.keys() for volume in spec["volumes"])
        for container in containers(each):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name_of(each)
            assert own["readOnlyRootFilesystem"] is True, name_of(each)
            assert own["capabilities"] == {"drop": ["ALL"]}, name_of(each)
            assert not any("hostPort" in port for port in container.get("ports", ()))


@pytest.mark.parametrize("where", OVERLAYS)
def test_namespaces_enforce_it(where: str) -> None:
    [namespace] = of_kind(overlay(where), "Namespace")
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["pod-security.kubernetes.io/enforce-version"] != "latest"


@pytest.mark.parametrize("where", OVERLAYS)
def test_nobody_gets_a_token_for_the_api_server(where: str) -> None:
    assert all(pod_of(each)["spec"]["automountServiceAccountToken"] is False for each in workloads(where))
    assert all(each["automountServiceAccountToken"] is False for each in of_kind(overlay(where), "ServiceAccount"))


@pytest.mark.parametrize("where", OVERLAYS)
def test_every_container_says_what_it_needs_and_memory_is_never_promised_twice(where: str) -> None:
    for each in workloads(where):
        for container in containers(each):
            asked, limit = container["resources"]["requests"], container["resources"]["limits"]
            assert {"cpu", "memory"} <= asked.keys(), name_of(each)
            # a limit of CPU would stop a process in the middle of what it does
            assert limit == {"memory": asked["memory"]}, name_of(each)


@pytest.mark.parametrize("where", OVERLAYS)
def test_every_container_that_stays_is_asked_whether_it_has_begun_is_ready_and_lives(where: str) -> None:
    for each in workloads(where):
        for container in pod_of(each)["spec"]["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys(), name_of(each)


@pytest.mark.parametrize("name", PORTS)
def test_services_are_asked_over_grpc_and_life_is_another_question_than_readiness(name: str) -> None:
    [container] = pod_of(deployment(name))["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    probes = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    assert {probe["grpc"]["port"] for probe in probes} == {ports["grpc"]}
    _, readiness, liveness = probes
    assert readiness["grpc"]["service"] == "ready"
    assert liveness["grpc"].get("service") != "ready"
    hung_for = liveness["failureThreshold"] * liveness["periodSeconds"] + liveness["timeoutSeconds"]
    assert hung_for <= 30


@pytest.mark.parametrize("name", OURS)
def test_a_pod_that_ends_has_time_for_the_news_to_spread_and_for_its_last_calls(name: str) -> None:
    spec = pod_of(deployment(name))["spec"]
    [container] = spec["containers"]
    news = container["lifecycle"]["preStop"].get("sleep", {}).get("seconds", 15)
    assert news >= 5
    assert spec["terminationGracePeriodSeconds"] >= news + LONGEST_SECONDS + 5


@pytest.mark.parametrize("name", OURS)
def test_pods_are_replaced_one_by_one_and_none_is_missing_meanwhile(name: str) -> None:
    update = deployment(name)["spec"]["strategy"]["rollingUpdate"]
    assert update == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize("name", OURS)
def test_production_has_three_pods_and_up_and_may_lose_one(name: str) -> None:
    objects = overlay("prod")
    [scaling] = [
        each for each in of_kind(objects, "HorizontalPodAutoscaler") if each["spec"]["scaleTargetRef"]["name"] == name
    ]
    assert (scaling["spec"]["minReplicas"], scaling["spec"]["maxReplicas"]) == (3, 5)
    [metric] = scaling["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    # the autoscaler decides how many there are
    assert "replicas" not in deployment(name)["spec"]
    labels = pod_of(deployment(name))["metadata"]["labels"]
    [budget] = [
        each
        for each in of_kind(objects, "PodDisruptionBudget")
        if selects(each["spec"]["selector"]["matchLabels"], labels)
    ]
    assert budget["spec"]["maxUnavailable"] < scaling["spec"]["minReplicas"]
    spec = pod_of(deployment(name))["spec"]
    keys = {each["topologyKey"] for each in spec["topologySpreadConstraints"]}
    assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    assert spec["priorityClassName"] in {each["metadata"]["name"] for each in of_kind(objects, "PriorityClass")}


@pytest.mark.parametrize("where", OVERLAYS)
def test_every_service_leads_to_a_port_of_its_pods_and_says_what_is_spoken(where: str) -> None:
    for service in of_kind(overlay(where), "Service"):
        [each] = [
            each
            for each in workloads(where)
            if selects(service["spec"]["selector"], pod_of(each)["metadata"]["labels"])
        ]
        known = {port["name"] for container in containers(each) for port in container.get("ports", ())}
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in known, name_of(service)
            protocol = port["name"].partition("-")[0]
            assert protocol in ("grpc", "http", "http2", "tcp", "amqp"), name_of(service)
            assert port.get("appProtocol", protocol) in ("grpc", "http", "kubernetes.io/h2c", "tcp", "amqp")


@pytest.mark.parametrize("where", OVERLAYS)
def test_no_secret_is_in_a_config_map_or_among_the_variables(where: str) -> None:
    for each in of_kind(overlay(where), "ConfigMap"):
        if "grafana_dashboard" in each["metadata"].get("labels", {}):
            continue
        assert not [text for pair in each["data"].items() for text in pair if SECRET.search(text)], name_of(each)
    for each in workloads(where):
        for container in containers(each):
            for variable in container.get("env", ()):
                assert "valueFrom" not in variable, name_of(each)
                told_where = variable["name"].endswith("_FILE") or variable["name"] == "MARIADB_RANDOM_ROOT_PASSWORD"
                assert told_where or not SECRET.search(variable["name"] + variable["value"]), name_of(each)


@pytest.mark.parametrize(("where", "told"), [("dev", "on"), ("prod", "off")])
def test_what_can_be_called_is_told_to_whoever_asks_in_dev_alone(where: str, told: str) -> None:
    for each in of_kind(overlay(where), "Deployment"):
        if each["metadata"]["name"] in PUBLIC:
            assert environment(each, where).get("TABLING_REFLECTION", "on") == told
        if each["metadata"]["name"] == "gateway":
            assert environment(each, where, "gateway").get("TABLING_GATEWAY_REFLECTION", "off") == told


@pytest.mark.parametrize("where", OVERLAYS)
def test_every_secret_and_config_map_that_a_pod_mounts_is_there_or_comes_from_an_operator(where: str) -> None:
    objects = overlay(where)
    there = {each["metadata"]["name"] for each in of_kind(objects, "Secret")}
    there |= {f"{each['metadata']['name']}-app" for each in of_kind(objects, "Cluster")}
    there |= {f"{each['metadata']['name']}-default-user" for each in of_kind(objects, "RabbitmqCluster")}
    there |= {each["spec"]["secretName"] for each in of_kind(objects, "Connection")}
    there |= {each["metadata"]["name"] for each in keys_of_production()} if where == "prod" else set()
    maps = {each["metadata"]["name"] for each in of_kind(objects, "ConfigMap")}
    for each in workloads(where):
        for volume in pod_of(each)["spec"]["volumes"]:
            sources = volume.get("projected", {}).get("sources", [volume])
            names = {
                source["secret"].get("name") or source["secret"]["secretName"]
                for source in sources
                if "secret" in source
            }
            assert names <= there, name_of(each)
            assert {source["configMap"]["name"] for source in sources if "configMap" in source} <= maps, name_of(each)
        for container in containers(each):
            assert {source["configMapRef"]["name"] for source in container.get("envFrom", ())} <= maps, name_of(each)


@cache
def keys_of_production() -> tuple[Object, ...]:
    """The Secrets that are made for it before its pods can start."""
    made = subprocess.run([ROOT / "scripts" / "k8s-secrets", "prod"], check=True, capture_output=True, text=True)
    return tuple(read(made.stdout))


def test_production_gets_new_keys_each_time_and_no_two_are_the_same() -> None:
    first, second = (
        {key for each in made() for key in each["stringData"].values()} for made in [keys_of_production.__wrapped__] * 2
    )
    assert len(first | second) == 6
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in first)
    assert {each["metadata"]["namespace"] for each in keys_of_production()} == {"tabling"}


def mounted(each: Object, folder: Path) -> Path:
    """The files that a pod's projected secrets are, with something in each that fits; they are named as there."""
    known = {secret["metadata"]["name"]: secret["stringData"] for secret in keys_of_production()}
    address = {"database": "postgresql://x:x@database:5432/x", "bus": "amqp://tabling:x@rabbitmq:5672/"}
    [volume] = [volume for volume in pod_of(each)["spec"]["volumes"] if volume["name"] == "secrets"]
    for source in (source["secret"] for source in volume["projected"]["sources"]):
        for item in source["items"]:
            text = known.get(source["name"], {}).get(item["key"]) or address[item["path"]]
            (folder / item["path"]).write_text(text, encoding="utf-8")
    return folder


def told(container: Mapping[str, Any], each: Object, where: str, folder: Path) -> Mapping[str, str]:
    """What a container is told, with what is mounted there."""
    [place] = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "secrets"]
    secrets = mounted(each, folder)
    return {
        name: value.replace(place, str(secrets)) for name, value in environment(each, where, container["name"]).items()
    }


@pytest.mark.parametrize("where", OVERLAYS)
@pytest.mark.parametrize("name", PORTS)
def test_services_and_their_migrations_understand_what_they_are_told(name: str, where: str, tmp_path: Path) -> None:
    pod = deployment(name, where)
    for container in containers(pod):
        settings = from_environment(name, told(container, pod, where, tmp_path))
        assert settings.database.startswith("postgresql://")
        assert len(settings.keys) == 1
        assert (len(settings.pass_keys), len(settings.phone_keys)) == ((1, 1) if name == "reception" else (0, 0))


@pytest.mark.parametrize("where", OVERLAYS)
def test_only_reception_sees_the_keys_of_passes_and_phones(where: str) -> None:
    who = {
        each["metadata"]["name"]
        for each in workloads(where)
        for volume in pod_of(each)["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
        if source.get("secret", {}).get("name") == "reception-keys"
    }
    assert who == {"reception"}


@pytest.mark.parametrize("where", OVERLAYS)
def test_a_gateway_understands_what_it_is_told(where: str, tmp_path: Path) -> None:
    pod = deployment("gateway", where)
    [container] = containers(pod)
    settings = gateway_settings(told(container, pod, where, tmp_path))
    assert settings.key == (tmp_path / "key").read_text("utf-8")
    if where == "dev":
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert settings.issuer == Issuer(name=ISSUER, jwks=Path(mounts["issuer"]) / "jwks.json")
        [published] = [each for each in of_kind(overlay(where), "ConfigMap") if each["metadata"]["name"] == "issuer"]
        assert json.loads(published["data"]["jwks.json"])["keys"]
    else:
        site = yaml.safe_load((K8S / "overlays" / where / "site.yaml").read_text("utf-8"))["data"]
        assert settings.issuer == Issuer(name=site["issuer"], jwks=site["keys"])
        [mesh] = of_kind(overlay(where), "RequestAuthentication")
        [rule] = mesh["spec"]["jwtRules"]
        assert (rule["issuer"], rule["jwksUri"]) == (site["issuer"], site["keys"])
        assert rule["forwardOriginalToken"], "the gateway looks at it once more"


@pytest.mark.parametrize("where", OVERLAYS)
@pytest.mark.parametrize("name", PORTS)
def test_services_listen_where_their_pods_say_and_find_the_others(name: str, where: str, tmp_path: Path) -> None:
    pod = deployment(name, where)
    [container] = pod_of(pod)["spec"]["containers"]
    variables = told(container, pod, where, tmp_path)
    settings = from_environment(name, variables)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert settings.listen == f"0.0.0.0:{ports['grpc']}"
    assert settings.metrics_listen == f"0.0.0.0:{ports['metrics']}"
    assert settings.bus.startswith("amqp://")
    services = {each["metadata"]["name"]: each for each in of_kind(overlay(where), "Service")}
    for variable, place in variables.items():
        if variable.endswith("_TARGET"):
            host, _, port = place.partition(":")
            assert int(port) in [each["port"] for each in services[host]["spec"]["ports"]], variable


def test_every_image_of_production_has_a_tag() -> None:
    for each in workloads("prod"):
        for container in containers(each):
            assert re.search(r":[0-9][\w.-]*$", container["image"]), (name_of(each), container["image"])


def test_the_broker_keeps_the_settings_of_its_image_and_has_a_place_for_its_logs() -> None:
    [broker] = [each for each in workloads("dev") if each["metadata"]["name"] == "rabbitmq"]
    [container] = containers(broker)
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert "/etc/rabbitmq/conf.d" not in mounts
    [user] = [path for path in mounts if path.startswith("/etc/rabbitmq/")]
    assert re.fullmatch(r"/etc/rabbitmq/conf\.d/9\d-[\w-]+\.conf", user)
    assert user.endswith(mounts[user]["subPath"])
    assert not mounts["/var/log/rabbitmq"].get("readOnly")


@pytest.mark.parametrize("where", OVERLAYS)
def test_nothing_comes_in_or_goes_out_by_default(where: str) -> None:
    [nothing] = [
        each
        for each in of_kind(overlay(where), "NetworkPolicy")
        if each["spec"]["podSelector"] == {} and set(each["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    ]
    assert not {"ingress", "egress"} & nothing["spec"].keys()
