"""The example that transcodes JSON in the ingress gateway fits into production."""

import shutil
import subprocess
from pathlib import Path

from scripts.ingress_transcoder import FILE, NAME, parts_with, site
from services.chassis.settings import PORTS
from tests.manifests.kustomized import Object, name_of, of_kind, overlay
from tests.manifests.test_mesh import analyze
from tests.mesh.tools import program
from tests.mesh.transcoding import the_filter, with_the_example


def test_istioctl_finds_nothing_in_production_with_the_example(tmp_path: Path) -> None:
    assert not analyze([*with_the_example(), *the_filter()], tmp_path)


def test_the_filter_is_where_the_ingress_gateway_is() -> None:
    [found] = the_filter()
    assert (found["kind"], found["metadata"]["namespace"]) == ("EnvoyFilter", "istio-system")


def test_tokens_are_those_of_the_issuer_whom_our_gateway_believes() -> None:
    [found] = the_filter()
    [rule] = next(each for each in overlay("prod") if each["kind"] == "RequestAuthentication")["spec"]["jwtRules"]
    values = [each["patch"]["value"] for each in found["spec"]["configPatches"]]
    [issuer] = (each["typed_config"]["providers"]["issuer"] for each in values if each.get("name") == "tabling.tokens")
    assert (issuer["issuer"], issuer["remote_jwks"]["http_uri"]["uri"]) == (rule["issuer"], rule["jwksUri"])
    shown = [(each["name"], each["value_prefix"]) for each in issuer["from_headers"]]
    assert shown == [("authorization", "Bearer "), ("authorization", "bearer ")]
    assert not issuer.keys() & {"from_params", "from_cookies", "forward"}
    assert [each["name"] for each in values if each.get("type")] == [issuer["remote_jwks"]["http_uri"]["cluster"]]


def test_what_lets_calls_in_is_off_but_for_our_host() -> None:
    [found] = the_filter()
    patches = found["spec"]["configPatches"]
    added = {each["patch"]["value"]["name"]: each["patch"]["value"] for each in patches if "listener" in each["match"]}
    [[host, on]] = (
        (each["match"]["routeConfiguration"]["vhost"], each["patch"]["value"]["typed_per_filter_config"])
        for each in patches
        if each["applyTo"] == "VIRTUAL_HOST"
    )
    assert host == {"domainName": site()["host"]}
    assert {name for name, value in added.items() if value.get("disabled")} == set(on) == set(added) - {NAME}


def test_the_key_is_not_in_the_filter_but_in_the_ingress_gateways_environment() -> None:
    [found] = the_filter()
    [key] = (value for value in parts_with("header", found) if value["header"]["key"] == "x-tabling-key")
    assert key == {
        "header": {"key": "x-tabling-key", "value": "%ENVIRONMENT(TABLING_KEY)%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def test_without_the_script_there_is_no_filter_and_it_says_what_is_missing(tmp_path: Path) -> None:
    shutil.copy(FILE.parent / "kustomization.yaml", tmp_path)
    done = subprocess.run([program("kustomize"), "build", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode
    assert "envoy-filter.yaml: no such file" in done.stderr
    assert "scripts/ingress-transcoder" in (tmp_path / "kustomization.yaml").read_text(encoding="utf-8")


def test_of_our_gateway_nothing_is_left_and_nobody_else_changes() -> None:
    objects = with_the_example()
    before, after = ({name_of(each) for each in some} for some in (overlay("prod"), objects))
    gone = {name for name in before - after if not name.startswith("ConfigMap gateway-")}
    policies = {f"{kind} gateway" for kind in ("AuthorizationPolicy", "NetworkPolicy", "RequestAuthentication")}
    kinds = ("Deployment", "DestinationRule", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service")
    ours = {f"{kind} gateway" for kind in (*kinds, "ServiceAccount")}
    assert gone == policies | ours | {"NetworkPolicy gateway-to-issuer"}
    assert not after - before
    who = [p for each in of_kind(objects, "AuthorizationPolicy") for p in _principals(each)]
    assert "cluster.local/ns/tabling/sa/gateway" not in who
    assert who.count(site()["ingress"]) == len(PORTS)


def _principals(policy: Object) -> list[str]:
    sources = [each["source"] for rule in policy["spec"].get("rules", ()) for each in rule["from"]]
    return [principal for source in sources for principal in source.get("principals", ())]
