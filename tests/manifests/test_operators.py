"""What the operators make of our objects: pods that the namespace takes and network policies know, a user with room."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from services.chassis.database.server import server_engine
from tests.manifests import operators
from tests.manifests.custom_resources import problems
from tests.manifests.kustomized import Object, name_of, of_kind, overlay, read
from tests.manifests.test_runbook import RUNBOOK

Contexts = tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""Which container, its pod's security context, its own."""

RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def examples() -> list[Object]:
    """The operators' objects that the runbook shows."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", RUNBOOK.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [each for block in blocks for each in read(block)]


def contexts(each: Object) -> Iterator[Contexts]:
    """What is said of each container that an operator makes; CloudNativePG restricts all of its own itself."""
    spec, name = each.get("spec", {}), name_of(each)
    if each["kind"] == "MariaDB":
        exporter, pod = spec["metrics"]["exporter"], spec["podSecurityContext"]
        yield name, pod, spec["securityContext"]
        yield f"{name} agent", pod, spec["galera"]["agent"]["securityContext"]
        yield f"{name} init", pod, spec["galera"]["initContainer"]["securityContext"]
        yield f"{name} exporter", exporter["podSecurityContext"], exporter["securityContext"]
    elif each["kind"] == "RabbitmqCluster":
        pod = spec["override"]["statefulSet"]["spec"]["template"]["spec"]
        # the operator says itself that user 999 runs them
        context = {"runAsUser": 999, **pod["securityContext"]}
        made = {own["name"]: own for own in (*pod["initContainers"], *pod["containers"])}
        assert made.keys() == {"setup-container", "rabbitmq"}
        for own in made.values():
            yield f"{name} {own['name']}", context, own["securityContext"]
    elif each["kind"] == "PhysicalBackup":
        yield name, spec["podSecurityContext"], spec["securityContext"]
    elif each["kind"] == "Cluster":
        assert not {"podSecurityContext", "securityContext", "seccompProfile"} & spec.keys(), name


def test_every_container_of_the_operators_is_what_the_namespace_asks_for() -> None:
    found = [context for each in (*overlay("prod"), *shown_whole()) for context in contexts(each)]
    assert len(found) == 7
    for name, pod, own in found:
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] > 0, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert own == RESTRICTED, name


def shown_whole() -> list[Object]:
    """Examples that are not only what differs from an object of the overlay."""
    return of_kind(examples(), "PhysicalBackup")


@pytest.mark.parametrize("each", examples(), ids=name_of)
def test_the_runbook_shows_what_the_operators_understand(each: Object) -> None:
    assert not list(problems(each, operators.schema(each)))


def labels(each: Object) -> Mapping[str, str]:
    """What an object's pods are labelled with."""
    told: Mapping[str, str] = (each["spec"].get("inheritedMetadata") or each["spec"]["inheritMetadata"])["labels"]
    return told


def test_every_database_and_backup_is_known_to_the_network_policies_and_stays_out_of_the_mesh() -> None:
    policies = of_kind(overlay("prod"), "NetworkPolicy")
    known = [each["spec"]["podSelector"].get("matchLabels", {}).get("tabling/database") for each in policies]
    databases = of_kind((*overlay("prod"), *examples()), "Cluster", "MariaDB", "PhysicalBackup")
    assert len(databases) == 8
    for each in databases:
        told = labels(each)
        assert told["tabling/database"] in known, name_of(each)
        assert each["metadata"]["name"].startswith(f"{told['tabling/database']}-database"), name_of(each)
        assert told["sidecar.istio.io/inject"] == "false", name_of(each)
    for each in of_kind(examples(), "MariaDB"):
        assert each["spec"]["bootstrapFrom"]["restoreJob"]["metadata"]["labels"] == labels(each)


def test_the_user_of_management_has_room_for_all_its_pods() -> None:
    objects = overlay("prod")
    [server], [user], [grant] = (of_kind(objects, kind) for kind in ("MariaDB", "User", "Grant"))
    [connection] = of_kind(objects, "Connection")
    name = user["metadata"]["name"]
    # the operator would set the first user's limit back again and again
    assert name != server["spec"]["username"]
    assert connection["spec"]["username"] == grant["spec"]["username"] == name
    assert connection["spec"]["database"] == grant["spec"]["database"] == server["spec"]["database"]
    assert connection["spec"]["passwordSecretKeyRef"] == user["spec"]["passwordSecretKeyRef"]
    # who else would make that secret?
    assert server["spec"]["passwordSecretKeyRef"] == {**user["spec"]["passwordSecretKeyRef"], "generate": True}
    [scaling] = [
        each for each in of_kind(objects, "HorizontalPodAutoscaler") if each["metadata"]["name"] == "management"
    ]
    pool = (server_engine.__kwdefaults__ or {})["connections"]
    assert user["spec"]["maxUserConnections"] >= pool * (scaling["spec"]["maxReplicas"] + 1)
