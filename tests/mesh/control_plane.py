"""Istio's control plane as a process, and what Kubernetes would tell it of pods."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.local.child import Child, Program
from tests.mesh.envoy import HOST
from tests.mesh.tools import program

Object = Mapping[str, Any]

NO_AGENT = {
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_TELEMETRY_LABEL": "false",
}
"""What only Istio's own build of Envoy knows is left out."""


def istiod(folder: Path, port: int) -> Child:
    """istiod on a port of 127.0.0.1; it follows the objects in `folder`/objects, which it makes Envoys do."""
    log = folder / "istiod.log"

    async def serves() -> bool:
        return "serving on" in log.read_text()

    return Child(
        Program(
            name="istiod",
            command=(
                *(str(program("istiod")), "--objects", str(folder / "objects")),
                *("--listen", f"127.0.0.1:{port}"),
            ),
            log=log,
            answers=serves,
            explain=lambda text: text,
            environment={**os.environ, **NO_AGENT},
        )
    )


def write(folder: Path, name: str, objects: Sequence[Object]) -> None:
    """Tell istiod of objects, all at once; those of the same name were what it knew before. JSON is YAML, too."""
    place = folder / "objects"
    place.mkdir(parents=True, exist_ok=True)
    new = place / f"{name}.new"
    new.write_text("\n---\n".join(json.dumps(each) for each in objects), encoding="utf-8")
    new.rename(place / f"{name}.yaml")


Changes = Mapping[str, Callable[[Object], Object]]
"""By kind: the parts of a spec that have to be others on this machine."""

ON_ONE_MACHINE: Changes = {
    "Service": lambda spec: {"clusterIP": HOST},
    "VirtualService": lambda spec: {},
    "DestinationRule": lambda spec: {},
}


def on_one_machine(objects: Sequence[Object], changes: Changes) -> Iterator[Object]:
    """The objects whose kinds have changes here, changed."""
    changes = {**ON_ONE_MACHINE, **changes}
    for each in objects:
        if each["kind"] in changes:
            yield {**each, "spec": each["spec"] | changes[each["kind"]](each["spec"])}


def behind(objects: Sequence[Object], service: str, addresses: Sequence[str]) -> Iterator[Object]:
    """Pods of a service, by their host:port, and the EndpointSlice that has them."""
    kinds = {each["kind"]: each for each in objects if each["metadata"]["name"] == service}
    namespace = kinds["Service"]["metadata"]["namespace"]
    [port] = kinds["Service"]["spec"]["ports"]
    hosts = [address.rpartition(":")[0] for address in addresses]
    pods = [_pod(kinds["Deployment"]["spec"]["template"], service, namespace, host) for host in hosts]
    yield from pods
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": service, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [
            {"name": port["name"], "port": number}
            for number in {int(address.rpartition(":")[2]) for address in addresses}
        ],
        "endpoints": [
            {
                "addresses": [host],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": namespace},
            }
            for host, pod in zip(hosts, pods, strict=True)
        ],
    }


def _pod(template: Object, service: str, namespace: str, host: str) -> Object:
    """A pod as Istio sees it: labels decide in which subsets it is, containers which ports of services it has."""
    # of one that is not ready Istio never tells the proxies, should it hear of it after its EndpointSlice
    ready = {"type": "Ready", "status": "True"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{service}-{host.replace('.', '-')}",
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
        },
        "spec": {name: template["spec"][name] for name in ("serviceAccountName", "containers")},
        "status": {"phase": "Running", "conditions": [ready], "podIP": host, "podIPs": [{"ip": host}]},
    }
