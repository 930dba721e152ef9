"""The Kubernetes and Istio files as kustomize puts them together."""

import fcntl
import itertools
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.system import ROOT
from tests.mesh.tools import kustomize

Object = Mapping[str, Any]

K8S = ROOT / "k8s"
OVERLAYS = ("dev", "prod")

DATA = ("servers", "operators")
"""Components of which a cluster has one: who runs databases and broker."""

SENDING = ("kakao", "vendor")
"""Likewise: where notices go."""

CONCERNS = ("availability", "autoscaling", "network-policies", "monitoring")
"""Components that a cluster has, or not."""

EXAMPLES = ROOT / "istio" / "examples"


def read(text: str) -> list[Object]:
    """The objects of a YAML text."""
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


@cache
def overlay(name: str) -> tuple[Object, ...]:
    """What `kubectl apply --kustomize k8s/overlays/name` sends."""
    if name == "dev":
        with (K8S / "overlays" / name / "kustomization.yaml").open() as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            subprocess.run([ROOT / "scripts" / "k8s-secrets"], check=True, capture_output=True)
    return tuple(read(kustomize(K8S / "overlays" / name)))


def combinations() -> Iterator[tuple[str, ...]]:
    """Every set of components that somebody may want."""
    for data, sending in itertools.product(DATA, SENDING):
        for number in range(len(CONCERNS) + 1):
            for concerns in itertools.combinations(CONCERNS, number):
                yield (data, sending, *concerns)


def combined(folder: Path, components: Sequence[str]) -> list[Object]:
    """The base with these components."""
    return built(folder, [K8S / "base"], [K8S / "components" / name for name in components])


def built(folder: Path, resources: Sequence[Path], components: Sequence[Path]) -> list[Object]:
    """A kustomization of its own, in an empty folder."""
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "tabling",
        "resources": [os.path.relpath(each, folder) for each in resources],
        "components": [os.path.relpath(each, folder) for each in components],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization), encoding="utf-8")
    return read(kustomize(folder))


def name_of(each: Object) -> str:
    """How people call it."""
    return f"{each['kind']} {each['metadata']['name']}"


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [each for each in objects if each["kind"] in kinds]


def pod_of(each: Object) -> Mapping[str, Any]:
    """The pod template of a Deployment or StatefulSet."""
    template: Mapping[str, Any] = each["spec"]["template"]
    return template


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether labels match a selector of equalities."""
    return selector.items() <= labels.items()
