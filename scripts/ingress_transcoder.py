"""The filter that makes gRPC of JSON in Istio's ingress gateway, with the settings of our own gateway."""

import base64
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from services.chassis.settings import PORTS
from services.local.commands import DESCRIPTORS
from services.local.gateway import GatewaySettings, render

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "istio" / "examples" / "transcode-json-at-the-ingress" / "filter" / "envoy-filter.yaml"

NAME = "envoy.filters.http.grpc_json_transcoder"
MANAGER = "envoy.filters.network.http_connection_manager"
ROUTES = {"stream_newline_delimited": "transcode-to-json", "stream_sse_style_delimited": "transcode-to-events"}
"""How streams are written, and the routes that want it so; `routes.yaml` has them."""

MOST_BYTES = 1024 * 1024
"""What Kubernetes keeps of one object."""

HEAD = "# Written by scripts/ingress-transcoder, from the contracts and from envoy/gateway.yaml.j2.\n"


def transcoders() -> Iterator[Mapping[str, Any]]:
    """The transcoder's settings as our gateway has them, wherever in its configuration they are."""
    upstreams = {name: f"{name}:{port}" for name, port in PORTS.items()}
    whole = yaml.load(render(GatewaySettings(descriptors=DESCRIPTORS, upstreams=upstreams)), yaml.CSafeLoader)
    yield from _with("proto_descriptor", whole)


def _with(key: str, node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        if key in node:
            yield node
        for each in node.values():
            yield from _with(key, each)
    elif isinstance(node, list):
        for each in node:
            yield from _with(key, each)


def contracts(file: Path) -> str:
    """The descriptor set without comments, as JSON carries bytes."""
    found = FileDescriptorSet.FromString(file.read_bytes())
    for each in found.file:
        each.ClearField("source_code_info")
    return base64.b64encode(found.SerializeToString()).decode()


def envoy_filter() -> Mapping[str, Any]:
    """The whole object.

    Of the ingress gateway's other hosts it changes nothing: where it is put it transcodes no service, and only routes
    with the names of ours tell it of some.
    """
    bytes_ = contracts(DESCRIPTORS)
    patches = [_everywhere()]
    for given in transcoders():
        settings = {key: value for key, value in given.items() if key != "proto_descriptor"}
        [style] = settings["print_options"].keys() & ROUTES.keys()
        patches.append(_on_route(ROUTES[style], {**settings, "proto_descriptor_bin": bytes_}))
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "transcode-json", "namespace": "istio-system"},
        "spec": {
            "workloadSelector": {"labels": {"istio": "ingressgateway"}},
            "priority": 10,
            "configPatches": patches,
        },
    }


def _everywhere() -> Mapping[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"
    router = {"name": MANAGER, "subFilter": {"name": "envoy.filters.http.router"}}
    nothing = {"@type": kind, "proto_descriptor_bin": "", "services": []}
    return {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "GATEWAY", "listener": {"filterChain": {"filter": router}}},
        "patch": {"operation": "INSERT_BEFORE", "value": {"name": NAME, "typed_config": nothing}},
    }


def _on_route(name: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "applyTo": "HTTP_ROUTE",
        "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": {"route": {"name": name}}}},
        "patch": {"operation": "MERGE", "value": {"typed_per_filter_config": {NAME: settings}}},
    }


def main() -> int:
    """Write the file and say how large it is. Returns the exit code."""
    text = HEAD + json.dumps(envoy_filter(), indent=2) + "\n"
    if len(text) > MOST_BYTES:
        print(f"error: {len(text)} bytes are more than the {MOST_BYTES} of an object of Kubernetes", file=sys.stderr)
        return 1
    new = FILE.with_suffix(f".{os.getpid()}")
    new.write_text(text, encoding="utf-8")
    new.replace(FILE)
    print(f"{FILE.relative_to(ROOT)}: {len(text)} bytes of {MOST_BYTES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
