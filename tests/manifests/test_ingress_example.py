"""The example that transcodes JSON in the ingress gateway fits into production."""

import shutil
import subprocess
from pathlib import Path

from scripts.ingress_transcoder import FILE
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
    kinds = ("AuthorizationPolicy", "Deployment", "DestinationRule", "HorizontalPodAutoscaler", "NetworkPolicy")
    assert gone == {f"{kind} gateway" for kind in (*kinds, "PodDisruptionBudget", "Service", "ServiceAccount")}
    assert not after - before
    who = [p for each in of_kind(objects, "AuthorizationPolicy") for p in _principals(each)]
    assert "cluster.local/ns/tabling/sa/gateway" not in who
    assert who.count("cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account") == len(PORTS)


def _principals(policy: Object) -> list[str]:
    sources = [each["source"] for rule in policy["spec"].get("rules", ()) for each in rule["from"]]
    return [principal for source in sources for principal in source.get("principals", ())]
