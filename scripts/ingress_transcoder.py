"""The filter that makes gRPC of JSON in Istio's ingress gateway, and lets calls in as our own gateway does.

All of it is what our gateway has, rendered from the same template.
"""

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
from services.local.gateway import render
from services.local.gateway_settings import GatewaySettings, Issuer

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "istio" / "examples" / "transcode-json-at-the-ingress" / "filter" / "envoy-filter.yaml"

SITE = ROOT / "k8s" / "overlays" / "prod" / "site.yaml"

NAME = "envoy.filters.http.grpc_json_transcoder"
MANAGER = "envoy.filters.network.http_connection_manager"
TRANSCODER = "type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"
MUTATION = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"

FORGED, TOKENS, SHOWN = "tabling.forged", "tabling.tokens", "tabling.key"
SWITCHED_ON = {
    FORGED: {"@type": f"{MUTATION}PerRoute"},
    TOKENS: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig",
        "requirement_name": TOKENS,
    },
    SHOWN: {"@type": f"{MUTATION}PerRoute"},
}
"""What switches on the filters that are off for other hosts."""

ROUTES = {"stream_newline_delimited": "transcode-to-json", "stream_sse_style_delimited": "transcode-to-events"}
"""How streams are written, and the routes that want it so; `routes.yaml` has them."""

MOST_BYTES = 1024 * 1024
"""What Kubernetes keeps of one object."""

HEAD = "# Written by scripts/ingress-transcoder, from the contracts, envoy/gateway.yaml.j2 and the site.yaml of prod.\n"


Site = Mapping[str, str]


def site() -> Site:
    """What differs from place to place, as the overlay for production has it."""
    told: Site = yaml.load(SITE.read_text("utf-8"), yaml.CSafeLoader)["data"]
    return told


def our_gateway(of: Site) -> Mapping[str, Any]:
    """The configuration of our gateway there. Upstreams and key are its own: nothing that has them is taken from it."""
    upstreams = {name: f"{name}:{port}" for name, port in PORTS.items()}
    issuer = Issuer(name=of["issuer"], jwks=of["keys"])
    whole: Mapping[str, Any] = yaml.load(
        render(GatewaySettings(descriptors=DESCRIPTORS, upstreams=upstreams, issuer=issuer, key="")), yaml.CSafeLoader
    )
    return whole


def parts_with(key: str, node: Any) -> Iterator[Mapping[str, Any]]:
    """All the parts that have this key, wherever they are."""
    if isinstance(node, dict):
        if key in node:
            yield node
        for each in node.values():
            yield from parts_with(key, each)
    elif isinstance(node, list):
        for each in node:
            yield from parts_with(key, each)


def contracts(file: Path) -> str:
    """The descriptor set without comments, as JSON carries bytes."""
    found = FileDescriptorSet.FromString(file.read_bytes())
    for each in found.file:
        each.ClearField("source_code_info")
    return base64.b64encode(found.SerializeToString()).decode()


def envoy_filter(of: Site) -> Mapping[str, Any]:
    """The whole object.

    Of the ingress gateway's other hosts it changes nothing: where filters are put they are switched off, and the
    transcoder knows no service; our host switches them on, and its routes with the names of ours tell of some.
    """
    whole = our_gateway(of)
    [manager] = parts_with("http_filters", whole)
    [host] = manager["route_config"]["virtual_hosts"]
    transcoder = {"@type": TRANSCODER, "proto_descriptor_bin": "", "services": []}
    doors = _doors(manager, host)
    filters = [*doors[:-1], {"name": NAME, "typed_config": transcoder}, doors[-1]]
    patches = [
        *(_cluster(each) for each in whole["static_resources"]["clusters"] if each["name"] == "issuer"),
        *(_filter(each) for each in filters),
        _on("VIRTUAL_HOST", {"domainName": of["host"]}, SWITCHED_ON),
    ]
    bytes_ = contracts(DESCRIPTORS)
    for given in parts_with("proto_descriptor", whole):
        settings = {key: value for key, value in given.items() if key != "proto_descriptor"}
        [style] = settings["print_options"].keys() & ROUTES.keys()
        where = {"domainName": of["host"], "route": {"name": ROUTES[style]}}
        patches.append(_on("HTTP_ROUTE", where, {NAME: {**settings, "proto_descriptor_bin": bytes_}}))
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


def _doors(manager: Mapping[str, Any], host: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What lets calls in, in this order: forged headers go, tokens are looked at, the installation's key is shown.

    The key is shown by a filter, not by routes: so it never is where the others are missing.
    """
    [early] = manager["early_header_mutation_extensions"]
    # not what Envoy itself says of where a caller comes from: here it already has
    forged = [each for each in early["typed_config"]["mutations"] if _removes(each) == "x-tabling-"]
    [tokens] = (each for each in manager["http_filters"] if each["name"] == "envoy.filters.http.jwt_authn")
    shown = [{"append": each} for each in host["request_headers_to_add"]]
    kept = [{"remove": name} for name in host["request_headers_to_remove"]]
    settings = dict(tokens["typed_config"])
    [rule] = settings.pop("rules")
    return [
        _door(FORGED, {"@type": MUTATION, "mutations": {"request_mutations": forged}}),
        _door(TOKENS, {**settings, "requirement_map": {TOKENS: rule["requires"]}}),
        _door(SHOWN, {"@type": MUTATION, "mutations": {"request_mutations": [*shown, *kept]}}),
    ]


def _removes(mutation: Mapping[str, Any]) -> str:
    prefix: str = mutation["remove_on_match"]["key_matcher"]["prefix"]
    return prefix


def _door(name: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"name": name, "disabled": True, "typed_config": settings}


def _cluster(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"applyTo": "CLUSTER", "match": {"context": "GATEWAY"}, "patch": {"operation": "ADD", "value": value}}


def _filter(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put before the router, after those that were put there before."""
    router = {"name": MANAGER, "subFilter": {"name": "envoy.filters.http.router"}}
    return {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "GATEWAY", "listener": {"filterChain": {"filter": router}}},
        "patch": {"operation": "INSERT_BEFORE", "value": value},
    }


def _on(what: str, where: Mapping[str, Any], settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "applyTo": what,
        "match": {"context": "GATEWAY", "routeConfiguration": {"vhost": where}},
        "patch": {"operation": "MERGE", "value": {"typed_per_filter_config": settings}},
    }


def main() -> int:
    """Write the file and say how large it is. Returns the exit code."""
    text = HEAD + json.dumps(envoy_filter(site()), indent=2) + "\n"
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
