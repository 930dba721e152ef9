"""What the Kubernetes files say about the life of a pod, for those who play it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.e2e.system import ROOT

BASE = ROOT / "k8s" / "base"


@dataclass(frozen=True)
class Probe:
    """How a kubelet asks, and how often; what a file leaves out is as Kubernetes has it. Times are seconds.

    `grace` is how long a pod has to end that failed this probe; None: as long as any.
    """

    grpc: Mapping[str, Any] | None
    http: Mapping[str, Any] | None
    period: float
    timeout: float
    failures: int
    grace: float | None


@dataclass(frozen=True)
class Lifecycle:
    """The life of a pod's container: `pre_stop` is a number of seconds to sleep, or a command."""

    startup: Probe
    readiness: Probe
    liveness: Probe
    pre_stop: float | Sequence[str]
    grace: float
    environment: Mapping[str, str]


def lifecycle_of_services() -> Lifecycle:
    """What the pods of the five services have in common."""
    [deployment] = documents(BASE / "shared" / "service.yaml")
    return _lifecycle(deployment)


def lifecycle_of_gateway() -> Lifecycle:
    """That of the gateway's pods."""
    deployment = next(each for each in documents(BASE / "gateway.yaml") if each["kind"] == "Deployment")
    return _lifecycle(deployment)


def surge() -> int:
    """How many pods a rolling update adds before it takes one away; none may be missing meanwhile."""
    [pod] = documents(BASE / "shared" / "pod.yaml")
    update = pod["spec"]["strategy"]["rollingUpdate"]
    assert update["maxUnavailable"] == 0, "a rolling update takes a pod away before another is ready"
    return int(update["maxSurge"])


@cache
def documents(file: Path) -> list[Any]:
    """All documents of a YAML file."""
    return [each for each in YAML(typ="safe", pure=True).load_all(file.read_text(encoding="utf-8")) if each]


def _lifecycle(deployment: Any) -> Lifecycle:
    [pod] = documents(BASE / "shared" / "pod.yaml")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    stop = container["lifecycle"]["preStop"]
    return Lifecycle(
        startup=_probe(container["startupProbe"]),
        readiness=_probe(container["readinessProbe"]),
        liveness=_probe(container["livenessProbe"]),
        pre_stop=float(stop["sleep"]["seconds"]) if "sleep" in stop else tuple(stop["exec"]["command"]),
        grace=float(pod["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]),
        environment=dict(_told(container.get("env", ()))),
    )


def _told(variables: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What is told in so many words; the files of mounted secrets are not there."""
    for each in variables:
        if "value" in each and not each["name"].endswith("_FILE"):
            yield each["name"], str(each["value"])


def _probe(given: Mapping[str, Any]) -> Probe:
    grace = given.get("terminationGracePeriodSeconds")
    return Probe(
        grpc=given.get("grpc"),
        http=given.get("httpGet"),
        period=float(given.get("periodSeconds", 10)),
        timeout=float(given.get("timeoutSeconds", 1)),
        failures=int(given.get("failureThreshold", 3)),
        grace=None if grace is None else float(grace),
    )
